// Max pooling and adaptive pooling against the oracle.
#include "tensor/ops/pool.h"

#include <limits>

#include "tests/support/op_testing.h"

namespace giza {
namespace {

using oracle::Array;

bool finite_case(const OpCase& row) { return row.data != CaseData::nan; }

TEST_CASE("max_pool2d: every target and layout, exact") {
  for (const OpCase& row : op_cases("max_pool2d")) {
    CAPTURE(row.name());
    const uint64_t seed = seed_of(row.name());
    const oracle::Pool pool{row.kernel_h, row.stride, row.padding};
    // Integer gradients, so that sums of overlapping windows are exact in any order.
    const Tensor x = make_numbers(row.input(), row.data, seed);
    const Tensor dy = make_numbers(row.output(), CaseData::integer, seed + 1);
    const Array expected = oracle::max_pool2d(Array(x), pool);
    const Array expected_dx = oracle::max_pool2d_backward(Array(dy), Array(x), pool);
    for_each_setting([&](Layout layout) {
      const Placed input(x, layout), gradient(dy, layout);
      CHECK_SAME(differs_exactly(ops::max_pool2d(input, row.pool()), expected));
      if (finite_case(row)) {  // which of several NaNs has the gradient is nobody's contract
        CHECK_SAME(differs_exactly(ops::max_pool2d_backward(gradient, input, row.pool()), expected_dx));
      }
      CHECK(input.intact());
      CHECK(gradient.intact());
    });
    const Tensor real = make_numbers(row.output(), CaseData::normal, seed + 2);
    CHECK_SAME(differs_between_threads([&] {
      return std::vector<Tensor>{ops::max_pool2d(x, row.pool()), ops::max_pool2d_backward(real, x, row.pool())};
    }));
  }
}

TEST_CASE("max_pool2d: padding never wins over large negative numbers") {
  const Tensor x = Tensor::full({1, 3, 3, 5}, -3e38F);
  for_each_target([&](const std::string& target) {
    CAPTURE(target);
    CHECK_SAME(differs_exactly(ops::max_pool2d(x, {}), Array({1, 2, 2, 5}, static_cast<double>(-3e38F))));
    const Tensor low = Tensor::full({1, 3, 3, 5}, -std::numeric_limits<float>::infinity());
    CHECK_SAME(differs_exactly(ops::max_pool2d(low, {}), Array(Tensor::full({1, 2, 2, 5}, low.data()[0]))));
    // Even a window of -inf gives its gradient to an element of the map.
    const Tensor dx = ops::max_pool2d_backward(Tensor::full({1, 2, 2, 5}, 1.0F), low, {});
    CHECK(oracle::sum_rows(Array(dx))[0] == 4.0);
  });
}

TEST_CASE("adaptive_avg_pool2d: every target and layout") {
  for (const OpCase& row : op_cases("adaptive_avg_pool2d")) {
    CAPTURE(row.name());
    const uint64_t seed = seed_of(row.name());
    const Tensor x = make_numbers(row.input(), row.data, seed);
    const Tensor dy = make_numbers({row.n, row.bins, row.bins, row.c()}, row.data, seed + 1);
    const Array expected = oracle::adaptive_avg_pool2d(Array(x), row.bins);
    const Array expected_dx = oracle::adaptive_avg_pool2d_backward(Array(dy), row.input());
    for_each_setting([&](Layout layout) {
      const Placed input(x, layout), gradient(dy, layout);
      CHECK_SAME(differs(ops::adaptive_avg_pool2d(input, row.bins), expected, 1e-6));
      CHECK_SAME(differs(ops::adaptive_avg_pool2d_backward(gradient, row.input()), expected_dx, 1e-6));
      CHECK(input.intact());
      CHECK(gradient.intact());
    });
    CHECK_SAME(differs_between_threads([&] {
      return std::vector<Tensor>{ops::adaptive_avg_pool2d(x, row.bins),
                                 ops::adaptive_avg_pool2d_backward(dy, row.input())};
    }));
  }
}

TEST_CASE("adaptive_max_pool2d: every target and layout, exact") {
  for (const OpCase& row : op_cases("adaptive_max_pool2d")) {
    CAPTURE(row.name());
    const uint64_t seed = seed_of(row.name());
    const Tensor x = make_numbers(row.input(), row.data, seed);
    const Tensor dy = make_numbers({row.n, row.bins, row.bins, row.c()}, CaseData::integer, seed + 1);
    const Array expected = oracle::adaptive_max_pool2d(Array(x), row.bins);
    const Array expected_dx = oracle::adaptive_max_pool2d_backward(Array(dy), Array(x));
    for_each_setting([&](Layout layout) {
      const Placed input(x, layout), gradient(dy, layout);
      CHECK_SAME(differs_exactly(ops::adaptive_max_pool2d(input, row.bins), expected));
      if (finite_case(row)) {
        CHECK_SAME(differs_exactly(ops::adaptive_max_pool2d_backward(gradient, input), expected_dx));
      }
      CHECK(input.intact());
      CHECK(gradient.intact());
    });
    CHECK_SAME(differs_between_threads([&] {
      return std::vector<Tensor>{ops::adaptive_max_pool2d(x, row.bins), ops::adaptive_max_pool2d_backward(dy, x)};
    }));
  }
}

TEST_CASE("pool: messages show both shapes") {
  const Tensor x = Tensor::zeros({1, 7, 7, 8});
  CHECK_SHAPE_ERROR(ops::max_pool2d(Tensor::zeros({7, 8}), {}), "[7,8]", "max_pool2d");
  CHECK_SHAPE_ERROR(ops::max_pool2d(x, {.kernel = 3, .stride = 2, .padding = 2}), "padding", "2");
  CHECK_SHAPE_ERROR(ops::max_pool2d(x, {.kernel = 9, .stride = 1, .padding = 0}), "[1,7,7,8]", "9");
  CHECK_SHAPE_ERROR(ops::max_pool2d(x, {.kernel = 3, .stride = 0, .padding = 1}), "stride", "0");
  CHECK_SHAPE_ERROR(ops::max_pool2d_backward(Tensor::zeros({1, 3, 4, 8}), x, {}), "[1,3,4,8]", "[1,7,7,8]");
  CHECK_SHAPE_ERROR(ops::adaptive_avg_pool2d(x, 0), "0", "adaptive_avg_pool2d");
  CHECK_SHAPE_ERROR(ops::adaptive_max_pool2d(x, -1), "-1", "adaptive_max_pool2d");
  CHECK_SHAPE_ERROR(ops::adaptive_avg_pool2d(Tensor::zeros({1, 0, 7, 8}), 2), "[1,0,7,8]", "adaptive_avg_pool2d");
  CHECK_SHAPE_ERROR(ops::adaptive_avg_pool2d_backward(Tensor::zeros({1, 3, 3, 9}), x.shape()), "[1,3,3,9]",
                    "[1,7,7,8]");
  CHECK_SHAPE_ERROR(ops::adaptive_max_pool2d_backward(Tensor::zeros({2, 3, 3, 8}), x), "[2,3,3,8]", "[1,7,7,8]");
}

}  // namespace
}  // namespace giza
