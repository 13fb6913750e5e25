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

/// The pixels of pictures one after the other: three divisions for the first, none for the others.
struct PixelWalk {
  int64_t height, width, n, y, x;

  PixelWalk(int64_t first, int64_t h, int64_t w)
      : height(h), width(w), n(first / w / h), y(first / w % h), x(first % w) {}
  void step() {
    if (++x < width) return;
    x = 0;
    if (++y < height) return;
    y = 0;
    ++n;
  }
};

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
