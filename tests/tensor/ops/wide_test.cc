// Ops on layers wider and longer than one task: the cuts into blocks of rows and columns, and the sums over them.
#include <doctest/doctest.h>

#include <vector>

#include "tensor/base/check.h"
#include "tensor/ops/batch_norm.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/pool.h"
#include "tensor/ops/softmax.h"
#include "tests/support/op_testing.h"

namespace giza {
namespace {

using oracle::Array;

// More channels than a block of columns, and no multiple of a vector; few channels, which are folded, with pixels left
// over; and enough pixels for many blocks of rows.
const Shape kShapes[] = {{2, 5, 7, 1101}, {3, 61, 59, 3}, {2, 67, 71, 24}};

TEST_CASE("wide layers: sums over rows, in any layout") {
  for (const Shape& shape : kShapes) {
    CAPTURE(shape.str());
    const Tensor numbers = make_numbers(shape, CaseData::normal, 7);
    for (Layout layout : kLayouts) {
      const Placed x(numbers, layout);
      CHECK_SAME(differs(ops::sum_rows(x), oracle::sum_rows(Array(numbers)), 1e-6));
      CHECK(x.intact());
    }
  }
}

TEST_CASE("wide layers: batch norm forward and backward, in any layout, with the same bits on any number of threads") {
  for (const Shape& shape : kShapes) {
    CAPTURE(shape.str());
    const int64_t c = shape.last();
    const Tensor numbers = make_numbers(shape, CaseData::normal, 11),
                 slopes = make_numbers(shape, CaseData::normal, 12);
    const Tensor gamma = make_numbers({c}, CaseData::normal, 13), beta = make_numbers({c}, CaseData::normal, 14);
    const Tensor mean = Tensor::zeros({c}), var = Tensor::full({c}, 1.0F);
    const oracle::NormForward expected =
        oracle::batch_norm_train(Array(numbers), Array(gamma), Array(beta), Array(mean), Array(var), Array(), {});
    const oracle::NormGradients gradients =
        oracle::batch_norm_train_backward(Array(slopes), Array(numbers), expected.y, Array(gamma), {});
    for (Layout layout : kLayouts) {
      const Placed x(numbers, layout), dy(slopes, layout);
      const ops::BatchNormResult y = ops::batch_norm_train(x, gamma, beta, mean.clone(), var.clone(), {}, {});
      CHECK_SAME(differs(y.y, expected.y, 1e-6));
      const ops::BatchNormGradients d = ops::batch_norm_train_backward(dy, x, {}, gamma, y.mean, y.invstd, false, {});
      CHECK_SAME(differs(d.x, gradients.x, 2e-6));
      CHECK_SAME(differs(d.gamma, gradients.gamma, 2e-6));
      CHECK_SAME(differs(d.beta, gradients.beta, 2e-6));
      CHECK_SAME(differs_between_threads([&] {
        const ops::BatchNormResult r = ops::batch_norm_train(x, gamma, beta, mean.clone(), var.clone(), {}, {});
        const ops::BatchNormGradients g = ops::batch_norm_train_backward(dy, x, {}, gamma, r.mean, r.invstd, false, {});
        return std::vector<Tensor>{r.y, r.mean, r.invstd, g.x, g.gamma, g.beta};
      }));
    }
  }
}

TEST_CASE("wide layers: pooling") {
  for (const Shape& shape : kShapes) {
    CAPTURE(shape.str());
    const Tensor x = make_numbers(shape, CaseData::normal, 21);
    const Tensor y = ops::max_pool2d(x, {});
    CHECK_SAME(differs_exactly(y, oracle::max_pool2d(Array(x), {})));
    CHECK_SAME(differs(ops::max_pool2d_backward(y, x, {}), oracle::max_pool2d_backward(Array(y), Array(x), {}), 1e-6));
    for (int64_t bins : {1, 6}) {
      const Tensor mean = ops::adaptive_avg_pool2d(x, bins), top = ops::adaptive_max_pool2d(x, bins);
      CHECK_SAME(differs(mean, oracle::adaptive_avg_pool2d(Array(x), bins), 1e-6));
      CHECK_SAME(differs(ops::adaptive_avg_pool2d_backward(mean, shape),
                         oracle::adaptive_avg_pool2d_backward(Array(mean), shape), 1e-6));
      CHECK_SAME(differs_exactly(top, oracle::adaptive_max_pool2d(Array(x), bins)));
      CHECK_SAME(differs(ops::adaptive_max_pool2d_backward(top, x),
                         oracle::adaptive_max_pool2d_backward(Array(top), Array(x)), 1e-6));
    }
  }
}

TEST_CASE("long pictures: cross-entropy over many blocks names the first bad label") {
  const Tensor logits = make_numbers({2, 131, 67, 12}, CaseData::normal, 31);
  Labels labels = make_labels(2, 131, 67, 12, 255, false, 32);
  const oracle::CrossEntropyForward expected = oracle::cross_entropy(Array(logits), labels, {});
  const ops::CrossEntropyResult result = ops::cross_entropy(logits, labels, {});
  CHECK(result.weight == expected.weight);
  CHECK_SAME(differs(result.loss, Array({1}, expected.loss), 1e-6));
  CHECK_SAME(differs(ops::cross_entropy_backward(2.0F, logits, labels, result, {}),
                     oracle::cross_entropy_backward(2.0, Array(logits), labels, {}), 4e-6));
  labels.at(1, 130, 66) = 12;
  labels.at(1, 3, 5) = 77;
  CHECK_THROWS_WITH_AS(ops::cross_entropy(logits, labels, {}),
                       "cross_entropy: label 77 at n=1, y=3, x=5 is neither in 0..11 nor the ignored 255", ShapeError);
}

}  // namespace
}  // namespace giza
