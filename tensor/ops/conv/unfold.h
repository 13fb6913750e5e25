// Pictures of few channels, such as RGB: what an output pixel reads, side by side.
#pragma once

#include "tensor/ops/conv2d.h"

namespace giza::ops {

/// x [N,H,W,C] before a kernel w [K,R,S,C] with output [N,P,Q,K]: for each output pixel the R*S*C numbers that it
/// reads, zeros outside of the picture. A task copies those of its own pixels into its cache. x outlives this.
class Unfolding {
 public:
  Unfolding(const Tensor& x, const Shape& w, int64_t p, int64_t q, const Conv2dOptions& options);

  /// True for kernels of so few channels that the product is to run over one long row instead of nine short ones.
  static bool wanted(const Shape& w) { return w[1] * w[2] > 1 && w[3] < 16; }

  /// Floats from the numbers of a pixel to those of the next.
  int64_t stride() const { return padded_stride(kernel_h_ * kernel_w_ * channels_); }
  /// The numbers of the output pixels [begin, end), counted over all pictures.
  void copy(int64_t begin, int64_t end, float* to) const;

 private:
  void copy_kernel_row(int64_t first, bool inside, int64_t j_begin, int64_t j_end, float* to) const;

  const Tensor& x_;
  int64_t kernel_h_, kernel_w_, channels_, p_, q_;
  Conv2dOptions options_;
  bool side_by_side_;
};

}  // namespace giza::ops
