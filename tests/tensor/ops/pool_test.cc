// Max pooling and adaptive pooling against the oracle.
#include "tensor/ops/pool.h"

#include <cmath>
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
    const oracle::Pool pool{row.kernel_h, row.stride, row.padding, row.ceil};
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

TEST_CASE("max_unpool2d: every target and layout, exact; positions serve as the pool's gradient too") {
  for (const OpCase& row : op_cases("max_unpool2d")) {
    CAPTURE(row.name());
    const uint64_t seed = seed_of(row.name());
    const oracle::Pool pool{row.kernel_h, row.stride, row.padding, row.ceil};
    // Integers, so that sums of overlapping windows are exact in any order.
    const Tensor picture = make_numbers(row.input(), row.data, seed),
                 x = make_numbers(row.output(), CaseData::integer, seed + 1),
                 dy = make_numbers(row.input(), CaseData::normal, seed + 2);
    const Array maxima = oracle::max_pool2d(Array(picture), pool),
                expected = oracle::max_unpool2d(Array(x), Array(picture), pool),
                expected_dx = oracle::max_unpool2d_backward(Array(dy), Array(picture), pool);
    for_each_setting([&](Layout layout) {
      const Placed input(picture, layout), small(x, layout), gradient(dy, layout);
      const ops::MaxPool2d pooled = ops::max_pool2d_with_positions(input, row.pool());
      CHECK_SAME(differs_exactly(pooled.y, maxima));
      const Placed positions(pooled.positions, layout);
      CHECK_SAME(differs_exactly(ops::max_unpool2d(small, positions, row.h, row.w, row.pool()), expected));
      CHECK_SAME(differs_exactly(ops::max_unpool2d_backward(gradient, positions, row.pool()), expected_dx));
      CHECK(same_bits(ops::max_unpool2d(small, positions, row.h, row.w, row.pool()),
                      ops::max_pool2d_backward(small, input, row.pool())));
      for (const Placed* each : {&input, &small, &gradient, &positions}) CHECK(each->intact());
    });
    const Tensor real = make_numbers(row.output(), CaseData::normal, seed + 3);
    CHECK_SAME(differs_between_threads([&] {
      const ops::MaxPool2d pooled = ops::max_pool2d_with_positions(picture, row.pool());
      return std::vector<Tensor>{pooled.y, pooled.positions,
                                 ops::max_unpool2d(real, pooled.positions, row.h, row.w, row.pool()),
                                 ops::max_unpool2d_backward(dy, pooled.positions, row.pool())};
    }));
  }
}

TEST_CASE("pool2d: sizes rounded up as Caffe and PyTorch do it, every window begins inside") {
  // Read off torch.nn.MaxPool2d(kernel, stride, padding, ceil_mode=True), PyTorch 2.13: input size -> output size.
  struct Row {
    ops::Pool2dOptions options;
    int64_t in, out;
  };
  for (const Row& row :
       {Row{{2, 2, 0, true}, 1, 1}, Row{{2, 2, 0, true}, 7, 4}, Row{{2, 2, 0, true}, 8, 4}, Row{{3, 2, 1, true}, 1, 1},
        Row{{3, 2, 1, true}, 2, 2}, Row{{3, 2, 1, true}, 97, 49}, Row{{3, 2, 0, true}, 4, 2},
        Row{{2, 3, 1, true}, 4, 2}, Row{{1, 3, 0, true}, 3, 1}, Row{{3, 2, 0, false}, 4, 1}}) {
    CAPTURE(row.in);
    CHECK(ops::pool_output_size(row.in, row.options) == row.out);
  }
  CHECK_THROWS_AS(ops::pool_output_size(1, {3, 2, 0, true}), ShapeError);
}

TEST_CASE("avg_pool2d: every target and layout") {
  for (const OpCase& row : op_cases("avg_pool2d")) {
    CAPTURE(row.name());
    const uint64_t seed = seed_of(row.name());
    const oracle::Pool pool{row.kernel_h, row.stride, row.padding};
    const Tensor x = make_numbers(row.input(), row.data, seed), dy = make_numbers(row.output(), row.data, seed + 1);
    const Array expected = oracle::avg_pool2d(Array(x), pool),
                expected_dx = oracle::avg_pool2d_backward(Array(dy), row.input(), pool);
    for_each_setting([&](Layout layout) {
      const Placed input(x, layout), gradient(dy, layout);
      CHECK_SAME(differs(ops::avg_pool2d(input, row.pool()), expected, 1e-6));
      CHECK_SAME(differs(ops::avg_pool2d_backward(gradient, row.input(), row.pool()), expected_dx, 1e-6));
      CHECK(input.intact());
      CHECK(gradient.intact());
    });
    CHECK_SAME(differs_between_threads([&] {
      return std::vector<Tensor>{ops::avg_pool2d(x, row.pool()), ops::avg_pool2d_backward(dy, row.input(), row.pool())};
    }));
  }
  CHECK_THROWS_AS(ops::avg_pool2d(Tensor::zeros({1, 3, 3, 1}), {2, 2, 0, true}), ShapeError);
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

TEST_CASE("pyramid_avg_pool2d: all sizes in one pass, every target and layout") {
  const std::vector<int64_t> sets[] = {{1, 2, 3, 6}, {4}, {7, 1, 7}};
  for (const OpCase& row : op_cases("adaptive_avg_pool2d")) {
    for (const auto& bins : sets) {
      CAPTURE(row.name());
      CAPTURE(bins.front());
      const uint64_t seed = seed_of(row.name());
      const Tensor x = make_numbers(row.input(), row.data, seed);
      const auto rows = ops::pyramid_rows(row.n, row.c(), bins);
      REQUIRE(rows.size() == bins.size());
      const Tensor dy = make_numbers({rows.back().end, row.c()}, row.data, seed + 1);
      const auto part = [&](const Tensor& cells, const ops::PyramidRows& of) {
        return cells.batch_slice(of.begin, of.end).reshape(of.shape);
      };
      Array expected_dx(row.input());
      // Many cells of both signs meet in a small map: what counts is the error beside the terms of the sum.
      const bool finite = row.data != CaseData::nan && row.data != CaseData::inf;
      Array terms(row.input());
      for (const auto& of : rows) {
        const Array sizes = oracle::map(Array(part(dy, of)), [](double v) { return std::fabs(v); });
        const Array magnitudes = oracle::adaptive_avg_pool2d_backward(sizes, row.input());
        for (int64_t i = 0; i < terms.size(); ++i) terms[i] += magnitudes[i];
        const Array one = oracle::adaptive_avg_pool2d_backward(Array(part(dy, of)), row.input());
        for (int64_t i = 0; i < one.size(); ++i) expected_dx[i] += one[i];
      }
      for_each_setting([&](Layout layout) {
        const Placed input(x, layout), gradient(dy, layout);
        const Tensor cells = ops::pyramid_avg_pool2d(input, bins);
        for (size_t b = 0; b < bins.size(); ++b) {
          CHECK_SAME(differs(part(cells, rows[b]), oracle::adaptive_avg_pool2d(Array(x), bins[b]), 1e-6));
        }
        CHECK_SAME(differs(ops::pyramid_avg_pool2d_backward(gradient, row.input(), bins), expected_dx, 1e-6,
                           finite ? oracle::norm(terms) : -1));
        CHECK(input.intact());
        CHECK(gradient.intact());
      });
      CHECK_SAME(differs_between_threads([&] {
        return std::vector<Tensor>{ops::pyramid_avg_pool2d(x, bins),
                                   ops::pyramid_avg_pool2d_backward(dy, row.input(), bins)};
      }));
    }
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
  const int64_t bins[] = {1, 2}, wrong[] = {2, 0};
  CHECK_SHAPE_ERROR(ops::pyramid_avg_pool2d(x, wrong), "0 bins", "pyramid_avg_pool2d");
  CHECK_SHAPE_ERROR(ops::pyramid_avg_pool2d(x, {}), "no bins", "pyramid_avg_pool2d");
  CHECK_SHAPE_ERROR(ops::pyramid_avg_pool2d_backward(Tensor::zeros({4, 8}), x.shape(), bins), "[4,8]", "[5,8]");
  CHECK_SHAPE_ERROR(ops::adaptive_max_pool2d(x, -1), "-1", "adaptive_max_pool2d");
  CHECK_SHAPE_ERROR(ops::adaptive_avg_pool2d(Tensor::zeros({1, 0, 7, 8}), 2), "[1,0,7,8]", "adaptive_avg_pool2d");
  CHECK_SHAPE_ERROR(ops::adaptive_avg_pool2d_backward(Tensor::zeros({1, 3, 3, 9}), x.shape()), "[1,3,3,9]",
                    "[1,7,7,8]");
  CHECK_SHAPE_ERROR(ops::adaptive_max_pool2d_backward(Tensor::zeros({2, 3, 3, 8}), x), "[2,3,3,8]", "[1,7,7,8]");
}

}  // namespace
}  // namespace giza
