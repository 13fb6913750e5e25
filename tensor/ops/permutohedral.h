// Gaussian filtering in high dimensions by the permutohedral lattice (Adams, Baek, Davis, Eurographics 2010).
#pragma once

#include <memory>

#include "tensor/base/check.h"
#include "tensor/ops/pixel_filter.h"

namespace giza::ops {

/// Features that lie too far apart for a lattice: the standard deviations they are measured in are too small.
class LatticeRange : public Error {
 public:
  using Error::Error;
};

/// K is about exp(-|f_i - f_j|^2 / 2), up to a factor that differs a little from pixel to pixel: the values of a pixel
/// are spread over the D + 1 corners of the simplex around its feature (splat), blurred along each of the D + 1 axes of
/// the lattice, and collected again (slice). Time and memory grow with the pixels and with the lattice's points that a
/// pixel touches: at most D + 1 for each. The points and weights are to the bit those of Kraehenbuehl and Koltun's
/// program.
class PermutohedralLattice : public PixelFilter {
 public:
  /// features [1,H,W,D] in standard deviations; D = 2 or 5. Throws ShapeError, Error for features that are not finite,
  /// and LatticeRange for those too far apart for 63 bits (those of pictures of 16,384 x 16,384 pixels fit at standard
  /// deviations from 1 on).
  explicit PermutohedralLattice(const Tensor& features);
  ~PermutohedralLattice() override;

  /// Points that a pixel touches.
  int64_t points() const;

  /// The most bytes that a lattice of that many pixels and features takes, with those of its making and of a filter of
  /// rows of `classes` values.
  static int64_t most_bytes(int64_t pixels, int dimension, int64_t classes);

 private:
  void run(const Tensor& x, const Tensor& base, const Tensor& y, const Factors& factors,
           FilterDirection direction) const override;

  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace giza::ops
