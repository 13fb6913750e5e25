// Direct convolution: products of gathered rows and packed weights, cut into tasks by shape.
#pragma once

#include <vector>

#include "tensor/ops/conv/packed_matrix.h"
#include "tensor/ops/conv2d.h"

namespace giza::ops::direct {

/// A kernel tap as seen from an output pixel: where it reads, and which of the weights it multiplies.
struct Tap {
  int64_t y, x;    ///< offset in input pixels
  int64_t weight;  ///< r * S + s
};
std::vector<Tap> forward_taps(const Shape& w, const Conv2dOptions& options);

/// The pixel's channels, or null outside of the picture.
inline const float* input_pixel(const Tensor& in, int64_t n, int64_t y, int64_t x) {
  const int64_t h = in.dim(1), w = in.dim(2);
  return y >= 0 && y < h && x >= 0 && x < w ? in.row((n * h + y) * w + x) : nullptr;
}

/// True for kernels of few channels (the stem's RGB): their pictures are unfolded first, so that the product runs over
/// one long row instead of nine short ones.
inline bool should_unfold(const Shape& w) { return w[1] * w[2] > 1 && w[3] < 16; }
/// x [N,H,W,C] as a picture [N,P,Q,R*S*C] whose pixels hold all numbers that an output pixel reads.
Tensor unfold(const Tensor& x, const Shape& w, int64_t p, int64_t q, const Conv2dOptions& options);

/// Weights in the order that the kernel reads them.
struct PackedWeights {
  PackedLayout layout;
  Tensor data;
  Shape shape;  ///< of the weight, [K,R,S,C]
};
/// Of w for the forward pass. The rows of w may be strided.
PackedWeights pack(const Tensor& w, const Conv2dOptions& options);

/// As the ops of the same name in tensor/ops/conv2d.h, after their checks.
Tensor conv2d(const Tensor& x, const PackedWeights& weights, const ConvEpilogue& epilogue,
              const Conv2dOptions& options);
Tensor conv2d_backward_input(const Tensor& dy, const Tensor& w, const Shape& x_shape, const Conv2dOptions& options);
/// To dw [K,R,S,C], dense.
void conv2d_backward_weight(const Tensor& dw, const Tensor& x, const Tensor& dy, const Conv2dOptions& options);

}  // namespace giza::ops::direct
