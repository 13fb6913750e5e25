// The largest channel of each pixel.
#include "tensor/ops/channel_max.h"

#include <algorithm>
#include <cmath>

#include "tensor/base/check.h"
#include "tensor/ops/cut.h"
#include "tensor/profile/profile.h"

namespace giza::ops {
namespace {

int64_t first_largest(const float* row, int64_t channels) {
  const float* largest = row;
  for (const float* at = row + 1; at < row + channels && !std::isnan(*largest); ++at) {
    if (*at > *largest || std::isnan(*at)) largest = at;
  }
  return largest - row;
}

}  // namespace

Tensor max_channels(const Tensor& x) {
  check(x.rank() >= 1 && x.channels() >= 1, "max_channels: x {} has no channels", x.shape());
  Tensor y = Tensor::activation(x.shape().with(x.rank() - 1, 1));
  const profile::Scope scope([&] { return profile::elementwise("max_channels", 0, x, y); });
  parallel_ranges(x.rows(), row_grain(x.channels()), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) *y.row(i) = x.row(i)[first_largest(x.row(i), x.channels())];
  });
  return y;
}

Tensor max_channels_backward(const Tensor& dy, const Tensor& x) {
  check(x.rank() >= 1 && dy.shape() == x.shape().with(x.rank() - 1, 1), "max_channels_backward: dy {} for x {}",
        dy.shape(), x.shape());
  Tensor dx = Tensor::zeros(x.shape());
  const profile::Scope scope([&] { return profile::elementwise("max_channels_backward", 0, x, dx); });
  parallel_ranges(x.rows(), row_grain(x.channels()), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) dx.row(i)[first_largest(x.row(i), x.channels())] = *dy.row(i);
  });
  return dx;
}

}  // namespace giza::ops
