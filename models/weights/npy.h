// NumPy's .npy files (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html), of floats, and of
// integers for labels.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace giza::models {

/// An array in C order.
struct NpyArray {
  std::vector<int64_t> shape;  ///< empty for a scalar
  std::vector<float> data;
};

/// Reads versions 1 to 3, C or Fortran order, little-endian f4 or f8 (rounded to float).
/// Sizes are checked against the file's before anything is allocated. Throws Refusal "FILE: ..." for a file that is
/// missing, truncated, longer than its shape, of another type or byte order, or above 32 axes.
NpyArray read_npy(const std::string& path);

/// An array of integers in C order.
struct NpyIntegers {
  std::vector<int64_t> shape;
  std::vector<int64_t> data;
};
/// The same for little-endian i8 (int64), i4 and u1: label maps.
NpyIntegers read_npy_integers(const std::string& path);

/// Writes version 1, little-endian f4, C order, through a temporary file that is renamed. Throws Error if writing
/// fails.
void write_npy(const std::string& path, const NpyArray& array);

/// [N,C,H,W] -> an activation [N,H,W,C]. Throws Refusal "PLACE: ..." for another number of axes or an empty one.
Tensor activation_from_nchw(const NpyArray& array, const std::string& place);
/// [N,H,W,C] -> [N,C,H,W].
NpyArray nchw_from_activation(const Tensor& activation);

}  // namespace giza::models
