// The Gaussian filter between all pairs of pixels.
#pragma once

#include "tensor/ops/pixel_filter.h"

namespace giza::ops {

/// K_ij = exp(-|f_i - f_j|^2 / 2), summed as it stands: O(pixels^2) time and no memory to speak of.
class ExactFilter : public PixelFilter {
 public:
  /// features [1,H,W,D], in standard deviations. Throws ShapeError.
  explicit ExactFilter(const Tensor& features);

 private:
  void run(const Tensor& x, const Tensor& base, const Tensor& y, const Factors& factors,
           FilterDirection direction) const override;

  Tensor columns_;  // [D, pixels rounded up to 64], features divided by sqrt 2
};

}  // namespace giza::ops
