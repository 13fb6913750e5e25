// The L2 norm across channels.
#include "tensor/ops/l2_normalize.h"

#include "tensor/base/check.h"
#include "tensor/kernels/l2_normalize.h"
#include "tensor/ops/cut.h"
#include "tensor/ops/partials.h"
#include "tensor/ops/scratch.h"
#include "tensor/profile/profile.h"

namespace giza::ops {
namespace {

constexpr float kEps = 1e-10F;

void check_gain(const char* op, const Tensor& x, const Tensor& gain) {
  check(x.rank() >= 1 && gain.shape() == Shape{x.channels()}, "{}: gain {} for x {}", op, gain.shape(), x.shape());
}

}  // namespace

Tensor l2_normalize(const Tensor& x, const Tensor& gain) {
  check_gain("l2_normalize", x, gain);
  Tensor y = Tensor::activation(x.shape());
  const profile::Scope scope([&] { return profile::elementwise("l2_normalize", 4, x, y); });
  const Scratch<float> inverse(x.rows());
  parallel_ranges(x.rows(), row_grain(x.channels()), [&](int64_t begin, int64_t end) {
    kernels::l2_normalize(rows_from(x, begin), gain.data(), kEps, inverse.data() + begin, rows_from(y, begin),
                          end - begin, x.channels());
  });
  return y;
}

L2NormalizeGradients l2_normalize_backward(const Tensor& dy, const Tensor& x, const Tensor& gain) {
  check_gain("l2_normalize_backward", x, gain);
  check(dy.shape() == x.shape(), "l2_normalize_backward: dy {} for x {}", dy.shape(), x.shape());
  L2NormalizeGradients gradients = {Tensor::activation(x.shape()), Tensor::empty(gain.shape())};
  const Tensor& dx = gradients.x;
  const profile::Scope scope([&] { return profile::elementwise("l2_normalize_backward", 10, dy, x, dx); });
  const Scratch<float> inverse(x.rows());
  parallel_ranges(x.rows(), row_grain(x.channels()), [&](int64_t begin, int64_t end) {
    float* norms = inverse.data() + begin;
    kernels::l2_normalize(rows_from(x, begin), nullptr, kEps, norms, {}, end - begin, x.channels());
    kernels::l2_normalize_backward(rows_from(dy, begin), rows_from(x, begin), gain.data(), norms, rows_from(dx, begin),
                                   end - begin, x.channels());
  });
  const Fold fold(x.shape(), /*dense=*/false);  // a norm belongs to one pixel, so pixels stay apart
  Partials partials(fold, 1);
  partials.accumulate([&](int64_t row, int64_t rows, int64_t column, int64_t columns, double* sums) {
    kernels::l2_normalize_gain(fold.of(dy, row, column), fold.of(x, row, column), inverse.data() + row, rows, columns,
                               sums);
  });
  for (int64_t c = 0; c < x.channels(); ++c) gradients.gain.data()[c] = static_cast<float>(partials.sum(0, c));
  return gradients;
}

}  // namespace giza::ops
