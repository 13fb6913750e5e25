// Loops of the structured pyramid head: weighted sums of rows, and products of which one side is a handful of rows.
#pragma once

#include <cstdint>

#include "tensor/rows.h"

namespace giza::kernels {

/// A row of an input, and what it is multiplied by.
struct RowTerm {
  int32_t row;
  float weight;
};

/// For each o < outputs: row o of out = sum over terms[first[o]] to terms[first[o + 1] - 1] of
/// weight * row of in. Rows of `width` floats; a sparse matrix times a dense one.
void combine_rows(ConstRows in, const RowTerm* terms, const int32_t* first, int64_t outputs, Rows out, int64_t width);

/// out[m][n] (+)= sum over e < depth of a[m * a_row + e * a_step] * b[e * b_stride + n], m < rows, n < width. Nothing
/// is packed: for products that read a large operand once. Sums longer than 128 terms are sums of sums of 128.
struct ThinProduct {
  const float* a;
  int64_t a_row, a_step;
  const float* b;
  int64_t b_stride;
  float* out;
  int64_t out_stride;
  int64_t rows, depth, width;
  bool accumulate;
};
void thin_product(const ThinProduct& product);

}  // namespace giza::kernels
