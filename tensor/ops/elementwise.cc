// Element by element: ReLU, sum, scaling, and the small reductions that gradients need.
#include "tensor/ops/elementwise.h"

#include <algorithm>

#include "tensor/base/check.h"
#include "tensor/kernels/elementwise.h"
#include "tensor/kernels/reduce.h"
#include "tensor/ops/cut.h"
#include "tensor/ops/partials.h"
#include "tensor/ops/scratch.h"
#include "tensor/profile/profile.h"

namespace giza::ops {

Tensor relu(const Tensor& x) {
  Tensor y = Tensor::activation(x.shape());
  const profile::Scope scope([&] { return profile::elementwise("relu", 1, x, y); });
  for_each_block([&](const Block& b) { kernels::relu(b.of(x), b.of(y), b.rows, b.width); }, x, y);
  return y;
}

Tensor relu_backward(const Tensor& dy, const Tensor& y) {
  check(dy.shape() == y.shape(), "relu_backward: dy {} for y {}", dy.shape(), y.shape());
  Tensor dx = Tensor::activation(y.shape());
  const profile::Scope scope([&] { return profile::elementwise("relu_backward", 1, dy, y, dx); });
  for_each_block([&](const Block& b) { kernels::relu_backward(b.of(dy), b.of(y), b.of(dx), b.rows, b.width); }, dy, y,
                 dx);
  return dx;
}

namespace {

void add_to(const Tensor& a, const Tensor& b, const Tensor& y) {
  const profile::Scope scope([&] { return profile::elementwise("add", 1, a, b, y); });
  for_each_block(
      [&](const Block& block) { kernels::add(block.of(a), block.of(b), block.of(y), block.rows, block.width); }, a, b,
      y);
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) {
  check(a.shape() == b.shape(), "add: {} + {}", a.shape(), b.shape());
  Tensor y = Tensor::activation(a.shape());
  add_to(a, b, y);
  return y;
}

void add_into(const Tensor& a, const Tensor& b) {
  check(a.shape() == b.shape(), "add_into: {} += {}", a.shape(), b.shape());
  add_to(a, b, a);
}

Tensor maximum(const Tensor& a, const Tensor& b) {
  check(a.shape() == b.shape(), "maximum: {} and {}", a.shape(), b.shape());
  Tensor y = Tensor::activation(a.shape());
  const profile::Scope scope([&] { return profile::elementwise("maximum", 1, a, b, y); });
  for_each_block(
      [&](const Block& block) { kernels::maximum(block.of(a), block.of(b), block.of(y), block.rows, block.width); }, a,
      b, y);
  return y;
}

MaximumGradients maximum_backward(const Tensor& dy, const Tensor& a, const Tensor& b) {
  check(a.shape() == b.shape() && dy.shape() == a.shape(), "maximum_backward: dy {} for {} and {}", dy.shape(),
        a.shape(), b.shape());
  const Tensor da = Tensor::activation(a.shape()), db = Tensor::activation(a.shape());
  const profile::Scope scope([&] { return profile::elementwise("maximum_backward", 1, dy, a, b, da, db); });
  for_each_block(
      [&](const Block& block) {
        kernels::maximum_backward(block.of(dy), block.of(a), block.of(b), block.of(da), block.of(db), block.rows,
                                  block.width);
      },
      dy, a, b, da, db);
  return {da, db};
}

Tensor scale(const Tensor& x, float factor) {
  Tensor y = Tensor::activation(x.shape());
  const profile::Scope scope([&] { return profile::elementwise("scale", 1, x, y); });
  for_each_block([&](const Block& b) { kernels::scale(b.of(x), factor, b.of(y), b.rows, b.width); }, x, y);
  return y;
}

Tensor sum_rows(const Tensor& x) {
  const profile::Scope scope([&] { return profile::elementwise("sum_rows", 1, x); });
  const Fold fold(x.shape(), x.dense());
  Partials partials(fold, 1);
  partials.accumulate([&](int64_t row, int64_t rows, int64_t column, int64_t columns, double* sums) {
    kernels::sum_rows(fold.of(x, row, column), rows, columns, sums);
  });
  Tensor sum = Tensor::empty({x.channels()});
  for (int64_t c = 0; c < x.channels(); ++c) sum.data()[c] = static_cast<float>(partials.sum(0, c));
  return sum;
}

bool all_finite(const Tensor& x) {
  const profile::Scope scope([&] { return profile::elementwise("all_finite", 1, x); });
  const int64_t blocks = count_blocks(x);
  const Scratch<bool> finite(blocks);
  std::fill_n(finite.data(), blocks, true);  // also where no task is run (tensor/dry_run.h)
  for_each_block([&](const Block& b) { finite[b.index] = kernels::all_finite(b.of(x), b.rows, b.width); }, x);
  return std::all_of(finite.data(), finite.data() + blocks, [](bool block) { return block; });
}

}  // namespace giza::ops
