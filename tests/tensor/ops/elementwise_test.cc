// ReLU, sum, scaling, row sums, concatenation and dropout against the oracle.
#include "tensor/ops/elementwise.h"

#include <cmath>
#include <limits>
#include <numeric>

#include "tensor/ops/concat.h"
#include "tensor/ops/dropout.h"
#include "tests/support/op_testing.h"

namespace giza {
namespace {

using oracle::Array;

TEST_CASE("relu: every target and layout, exact") {
  for (const OpCase& row : op_cases("relu")) {
    CAPTURE(row.name());
    const uint64_t seed = seed_of(row.name());
    const Tensor x = make_numbers(row.input(), row.data, seed),
                 dy = make_numbers(row.input(), CaseData::normal, seed + 1);
    const Array expected = oracle::relu(Array(x)), expected_dx = oracle::relu_backward(Array(dy), expected);
    for_each_setting([&](Layout layout) {
      const Placed input(x, layout), gradient(dy, layout);
      const Tensor y = ops::relu(input);
      CHECK_SAME(differs_exactly(y, expected));
      CHECK_SAME(differs_exactly(ops::relu_backward(gradient, Placed(y, layout)), expected_dx));
      CHECK(input.intact());
      CHECK(gradient.intact());
    });
    CHECK_SAME(differs_between_threads([&] { return std::vector<Tensor>{ops::relu(x), ops::relu_backward(dy, x)}; }));
  }
}

TEST_CASE("add: every target and layout, correctly rounded") {
  for (const OpCase& row : op_cases("add")) {
    CAPTURE(row.name());
    const uint64_t seed = seed_of(row.name());
    const Tensor a = make_numbers(row.input(), row.data, seed),
                 b = make_numbers(row.input(), CaseData::normal, seed + 1);
    const Array sum = oracle::add(Array(a), Array(b));
    const Array expected = oracle::map(sum, [](double v) { return static_cast<double>(static_cast<float>(v)); });
    const Array triple = oracle::map(Array(a), [](double v) { return static_cast<double>(static_cast<float>(3 * v)); });
    for_each_setting([&](Layout layout) {
      const Placed left(a, layout), right(b, Layout::padded), target(a, layout);
      CHECK_SAME(differs_exactly(ops::add(left, right), expected));
      CHECK_SAME(differs_exactly(ops::scale(left, 3.0F), triple));
      ops::add_into(target, right);
      CHECK_SAME(differs_exactly(target, expected));
      CHECK(left.intact());
      CHECK(right.intact());
      CHECK(target.canaries_intact());
    });
    CHECK_SAME(differs_between_threads([&] { return std::vector<Tensor>{ops::add(a, b), ops::scale(a, 0.1F)}; }));
  }
}

TEST_CASE("maximum: every target and layout, exact; the first of equals has the gradient") {
  for (const OpCase& row : op_cases("maximum")) {
    CAPTURE(row.name());
    const uint64_t seed = seed_of(row.name());
    // Of two rounded to few values many are equal.
    const CaseData other = row.data == CaseData::ties ? CaseData::ties : CaseData::normal;
    const Tensor a = make_numbers(row.input(), row.data, seed), b = make_numbers(row.input(), other, seed + 1),
                 dy = make_numbers(row.input(), CaseData::normal, seed + 2);
    const Array expected = oracle::maximum(Array(a), Array(b));
    const auto [da, db] = oracle::maximum_backward(Array(dy), Array(a), Array(b));
    for_each_setting([&, da = da, db = db](Layout layout) {
      const Placed left(a, layout), right(b, Layout::padded), gradient(dy, layout);
      CHECK_SAME(differs_exactly(ops::maximum(left, right), expected));
      const ops::MaximumGradients gradients = ops::maximum_backward(gradient, left, right);
      if (row.data != CaseData::nan) {
        CHECK_SAME(differs_exactly(gradients.a, da));
        CHECK_SAME(differs_exactly(gradients.b, db));
      }
      CHECK(left.intact());
      CHECK(right.intact());
      CHECK(gradient.intact());
    });
    CHECK_SAME(differs_between_threads([&] { return std::vector<Tensor>{ops::maximum(a, b)}; }));
  }
  // Where one is NaN so is the result, and the gradient is a's unless only b is.
  const Tensor nan = Tensor::full({1, 1, 1, 1}, std::nanf("")), one = Tensor::full({1, 1, 1, 1}, 1.0F);
  for_each_target([&](const std::string& target) {
    CAPTURE(target);
    CHECK(std::isnan(ops::maximum(nan, one).item()));
    CHECK(std::isnan(ops::maximum(one, nan).item()));
    CHECK(ops::maximum_backward(one, nan, one).a.item() == 1);
    CHECK(ops::maximum_backward(one, one, nan).b.item() == 1);
  });
  CHECK_THROWS_AS(ops::maximum(one, Tensor::full({1, 1, 1, 2}, 1.0F)), ShapeError);
}

TEST_CASE("add: x + x, and adding into itself") {
  const Tensor x = make_numbers({1, 3, 3, 17}, CaseData::normal, 1);
  const Array expected = oracle::map(Array(x), [](double v) { return 2 * v; });
  CHECK_SAME(differs_exactly(ops::add(x, x), expected));
  ops::add_into(x, x);
  CHECK_SAME(differs_exactly(x, expected));
}

TEST_CASE("sum_rows: every target and layout") {
  for (const OpCase& row : op_cases("sum_rows")) {
    CAPTURE(row.name());
    const Tensor x = make_numbers(row.input(), row.data, seed_of(row.name()));
    const Array expected = oracle::sum_rows(Array(x));
    // Summed in double: one rounding to float.
    const Array bound = oracle::map(expected, [](double v) { return 0x1p-23 * std::abs(v); });
    for_each_setting([&](Layout layout) {
      const Placed input(x, layout);
      CHECK_SAME(differs_by_element(ops::sum_rows(input), expected, bound));
      CHECK(input.intact());
    });
    CHECK_SAME(differs_between_threads([&] { return std::vector<Tensor>{ops::sum_rows(x)}; }));
  }
}

TEST_CASE("all_finite: finds one bad number anywhere and reads no padding") {
  for_each_setting([&](Layout layout) {
    const Placed good(make_numbers({2, 3, 5, 17}, CaseData::large, 1), layout);
    CHECK(ops::all_finite(good));
    for (int64_t i : {0, 16, 17, 200, 509}) {
      for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                        -std::numeric_limits<float>::infinity()}) {
        const Placed x(good.view(), layout);
        x.view().row(i / 17)[i % 17] = bad;
        CHECK_FALSE(ops::all_finite(x));
      }
    }
    CHECK(ops::all_finite(Tensor::full({3}, std::numeric_limits<float>::max())));
    CHECK(ops::all_finite(Tensor::zeros({0, 3, 3, 8})));
  });
}

TEST_CASE("elementwise: messages show both shapes") {
  const Tensor a = Tensor::zeros({1, 3, 3, 8}), b = Tensor::zeros({1, 3, 4, 8});
  CHECK_SHAPE_ERROR(ops::add(a, b), "[1,3,3,8]", "[1,3,4,8]");
  CHECK_SHAPE_ERROR(ops::add_into(a, b), "[1,3,3,8]", "[1,3,4,8]");
  CHECK_SHAPE_ERROR(ops::relu_backward(a, b), "[1,3,3,8]", "[1,3,4,8]");
}

TEST_CASE("concat_channels: every target and layout, exact") {
  for (const OpCase& row : op_cases("concat_channels")) {
    CAPTURE(row.name());
    std::vector<Tensor> parts;
    std::vector<Array> arrays;
    for (int64_t channels : row.channels) {
      parts.push_back(make_numbers({row.n, row.h, row.w, channels}, row.data, seed_of(row.name()) + parts.size()));
      arrays.emplace_back(parts.back());
    }
    const Array expected = oracle::concat_channels(arrays);
    for_each_setting([&](Layout layout) {
      std::vector<Placed> placed;
      std::vector<Tensor> inputs;
      for (const Tensor& part : parts) inputs.push_back(placed.emplace_back(part, layout));
      const Tensor y = ops::concat_channels(inputs);
      CHECK_SAME(differs_exactly(y, expected));
      for (const Placed& part : placed) CHECK(part.intact());
    });
    CHECK_SAME(differs_between_threads([&] { return std::vector<Tensor>{ops::concat_channels(parts)}; }));
  }
}

TEST_CASE("concat_channels: messages show both shapes") {
  const Tensor parts[] = {Tensor::zeros({1, 3, 3, 8}), Tensor::zeros({1, 3, 4, 8})};
  CHECK_SHAPE_ERROR(ops::concat_channels(parts), "[1,3,3,8]", "[1,3,4,8]");
  CHECK_SHAPE_ERROR(ops::concat_channels({}), "concat", "");
}

TEST_CASE("dropout2d: every target and layout") {
  for (const OpCase& row : op_cases("dropout2d")) {
    CAPTURE(row.name());
    const uint64_t seed = seed_of(row.name());
    const Tensor x = make_numbers(row.input(), row.data, seed);
    const Tensor mask = ops::dropout2d_mask(row.n, row.c(), 0.5F, Random(seed, Purpose::dropout));
    const Array expected = oracle::dropout2d(Array(x), Array(mask));
    for_each_setting([&](Layout layout) {
      const Placed input(x, layout);
      CHECK_SAME(differs_exactly(ops::dropout2d(input, mask), expected));
      CHECK(input.intact());
    });
    CHECK_SAME(differs_between_threads([&] { return std::vector<Tensor>{ops::dropout2d(x, mask)}; }));
  }
}

TEST_CASE("dropout2d_mask: factors, draws and rate") {
  const Random random(7, Purpose::dropout, 2, 3);
  const float p = 0.1F;
  const Tensor mask = ops::dropout2d_mask(4, 500, p, random);
  CHECK(mask.shape() == Shape{4, 1, 1, 500});
  int64_t dropped = 0;
  for (int64_t n = 0; n < 4; ++n) {
    for (int64_t c = 0; c < 500; ++c) {
      const float factor = mask.row(n)[c];
      const bool drop = random.uniform(static_cast<uint32_t>(n * 500 + c)) < p;
      CHECK(factor == doctest::Approx(drop ? 0.0 : 1 / 0.9));
      dropped += factor == 0.0F;
    }
  }
  // 2000 draws at p = 0.1: 200 with a deviation of 13.4.
  CHECK(dropped > 140);
  CHECK(dropped < 260);
  const Tensor kept = ops::dropout2d_mask(2, 8, 0.0F, random);
  CHECK_SAME(differs_exactly(kept, Array({2, 1, 1, 8}, 1.0)));
}

TEST_CASE("dropout: every target and layout, element by element the stream's draws") {
  const Random random(11, Purpose::dropout, 2, 3);
  const float p = 0.3F, keep = 1.0F / (1.0F - p);
  for (const OpCase& row : op_cases("dropout")) {
    CAPTURE(row.name());
    const Tensor x = make_numbers(row.input(), row.data, seed_of(row.name()));
    Array expected(x);
    for (int64_t i = 0; i < expected.size(); ++i) {
      const float kept = static_cast<float>(expected[i]) * keep;
      expected[i] = random.uniform(static_cast<uint32_t>(i)) < p ? 0.0 : static_cast<double>(kept);
    }
    for_each_setting([&](Layout layout) {
      const Placed input(x, layout);
      CHECK_SAME(differs_exactly(ops::dropout(input, p, random), expected));
      CHECK(input.intact());
    });
    CHECK_SAME(differs_between_threads([&] { return std::vector<Tensor>{ops::dropout(x, p, random)}; }));
  }
  const Tensor x = make_numbers({1, 3, 3, 8}, CaseData::normal, 1);
  CHECK(same_bits(ops::dropout(x, 0, random), x));
  CHECK_SHAPE_ERROR(ops::dropout(x, 1.0F, random), "1", "dropout");
}

TEST_CASE("dropout2d: messages show both shapes") {
  const Random random(1, Purpose::dropout);
  CHECK_SHAPE_ERROR(ops::dropout2d_mask(1, 8, 1.0F, random), "1", "dropout");
  CHECK_SHAPE_ERROR(ops::dropout2d_mask(1, 8, -0.5F, random), "-0.5", "dropout");
  CHECK_SHAPE_ERROR(ops::dropout2d(Tensor::zeros({2, 3, 3, 8}), Tensor::zeros({2, 1, 1, 9})), "[2,3,3,8]", "[2,1,1,9]");
}

}  // namespace
}  // namespace giza
