// Pictures as vectors: pixels by channels, transposed.
#include "tensor/ops/flatten.h"

#include <algorithm>

#include "tensor/base/check.h"
#include "tensor/parallel.h"
#include "tensor/profile/profile.h"

namespace giza::ops {
namespace {

/// Calls body(item, first pixel, pixels, first channel, channels), in parallel, on squares that a cache holds.
template <class Body>
void for_each_square(const Shape& x, const Body& body) {
  constexpr int64_t kSide = 64;
  const int64_t pixels = x[1] * x[2], channels = x[3];
  const int64_t down = (pixels + kSide - 1) / kSide, across = (channels + kSide - 1) / kSide;
  parallel_ranges(x[0] * down * across, 8, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t pixel = task / across % down * kSide, channel = task % across * kSide;
      body(task / across / down, pixel, std::min(kSide, pixels - pixel), channel, std::min(kSide, channels - channel));
    }
  });
}

}  // namespace

Tensor flatten(const Tensor& x) {
  check(x.rank() == 4, "flatten: x {} is not [N,H,W,C]", x.shape());
  const int64_t all = x.dim(1) * x.dim(2);
  Tensor y = Tensor::activation({x.dim(0), all * x.channels()});
  const profile::Scope scope([&] { return profile::elementwise("flatten", 0, x, y); });
  for_each_square(x.shape(), [&](int64_t item, int64_t pixel, int64_t pixels, int64_t channel, int64_t channels) {
    for (int64_t c = channel; c < channel + channels; ++c) {
      float* to = y.row(item) + c * all;
      for (int64_t i = pixel; i < pixel + pixels; ++i) to[i] = x.row(item * all + i)[c];
    }
  });
  return y;
}

Tensor flatten_backward(const Tensor& dy, const Shape& x_shape) {
  check(x_shape.rank() == 4 && dy.shape() == Shape{x_shape[0], x_shape[1] * x_shape[2] * x_shape[3]},
        "flatten_backward: dy {} for x {}", dy.shape(), x_shape);
  const int64_t all = x_shape[1] * x_shape[2];
  Tensor dx = Tensor::activation(x_shape);
  const profile::Scope scope([&] { return profile::elementwise("flatten_backward", 0, dy, dx); });
  for_each_square(x_shape, [&](int64_t item, int64_t pixel, int64_t pixels, int64_t channel, int64_t channels) {
    for (int64_t i = pixel; i < pixel + pixels; ++i) {
      float* to = dx.row(item * all + i);
      for (int64_t c = channel; c < channel + channels; ++c) to[c] = dy.row(item)[c * all + i];
    }
  });
  return dx;
}

}  // namespace giza::ops
