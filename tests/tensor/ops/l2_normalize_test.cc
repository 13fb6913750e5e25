// The L2 norm across channels against the oracle.
#include "tensor/ops/l2_normalize.h"

#include <array>
#include <cmath>

#include "tensor/simd.h"
#include "tests/support/op_testing.h"

namespace giza {
namespace {

using oracle::Array;

TEST_CASE("l2_normalize: every target and layout, the same bits on all of them") {
  for (const OpCase& row : op_cases("l2_normalize")) {
    CAPTURE(row.name());
    const uint64_t seed = seed_of(row.name());
    const Tensor x = make_numbers(row.input(), row.data, seed),
                 dy = make_numbers(row.input(), CaseData::normal, seed + 1),
                 gain = make_numbers({row.c()}, CaseData::normal, seed + 2);
    const Array expected = oracle::l2_normalize(Array(x), Array(gain));
    const auto [dx, dgain] = oracle::l2_normalize_backward(Array(dy), Array(x), Array(gain));
    // dx is a difference of two terms, small beside them where a pixel has one channel or all are nearly the same.
    const Array numbers(x);
    Array terms(dy);
    for (int64_t i = 0; i < terms.size(); ++i) {
      double squares = 1e-10;
      for (int64_t c = 0; c < row.c(); ++c) {
        const double number = numbers[i / row.c() * row.c() + c];
        squares += number * number;
      }
      terms[i] *= static_cast<double>(gain.data()[i % row.c()]) / std::sqrt(squares);
    }
    Tensor bits;
    for_each_setting([&, dx = dx, dgain = dgain](Layout layout) {
      const Placed input(x, layout), gradient(dy, layout);
      const Tensor y = ops::l2_normalize(input, gain);
      CHECK_SAME(differs(y, expected, 1e-6));
      // Those without a fused multiply-add round the products, and stand apart.
      if (isa().starts_with("AVX")) {
        if (!bits.defined()) bits = y;
        CHECK(same_bits(y, bits));
      }
      const ops::L2NormalizeGradients gradients = ops::l2_normalize_backward(gradient, input, gain);
      CHECK_SAME(differs(gradients.x, dx, 2e-6, oracle::norm(terms)));
      CHECK_SAME(differs(gradients.gain, dgain, 2e-6));
      CHECK(input.intact());
      CHECK(gradient.intact());
    });
    CHECK_SAME(differs_between_threads([&] {
      const ops::L2NormalizeGradients gradients = ops::l2_normalize_backward(dy, x, gain);
      return std::vector<Tensor>{ops::l2_normalize(x, gain), gradients.x, gradients.gain};
    }));
  }
}

TEST_CASE("sums along a row: 16 lanes, added in halves, however wide the vectors are") {
  // Squares are powers of two, so that nothing but the additions rounds. Of the columns of a lane that follow a 1, none
  // counts; those of lanes of their own do.
  constexpr int64_t kWidth = 16 * 64;
  const Tensor x = Tensor::activation({1, 1, 1, kWidth});
  const Tensor gain = Tensor::zeros({kWidth});
  gain.fill(1);
  std::array<float, 16> lanes{};
  for (int64_t i = 0; i < kWidth; ++i) {
    x.data()[i] = i < 8 ? 1.0F : i % 16 >= 8 ? std::ldexp(1.0F, -12) : 0.0F;
    lanes[static_cast<size_t>(i % 16)] += x.data()[i] * x.data()[i];
  }
  for (size_t half = 8; half > 0; half /= 2) {
    for (size_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  REQUIRE(lanes[0] > 8);
  for_each_target(
      [&](const std::string&) { CHECK(ops::l2_normalize(x, gain).data()[0] == 1.0F / std::sqrt(1e-10F + lanes[0])); });
}

TEST_CASE("l2_normalize: a pixel of zeros has finite gradients") {
  const Tensor x = Tensor::zeros({1, 1, 1, 3}), gain = Tensor::full({3}, 10), dy = Tensor::full({1, 1, 1, 3}, 1);
  CHECK(ops::l2_normalize(x, gain).to_vector() == std::vector<float>{0, 0, 0});
  const ops::L2NormalizeGradients gradients = ops::l2_normalize_backward(dy, x, gain);
  CHECK(gradients.x.to_vector()[0] == doctest::Approx(10 / 1e-5));
  CHECK(gradients.gain.to_vector() == std::vector<float>{0, 0, 0});
}

TEST_CASE("l2_normalize: messages show both shapes") {
  CHECK_SHAPE_ERROR(ops::l2_normalize(Tensor::zeros({1, 3, 3, 8}), Tensor::zeros({9})), "[1,3,3,8]", "[9]");
  CHECK_SHAPE_ERROR(
      ops::l2_normalize_backward(Tensor::zeros({1, 3, 2, 8}), Tensor::zeros({1, 3, 3, 8}), Tensor::zeros({8})),
      "[1,3,2,8]", "[1,3,3,8]");
}

}  // namespace
}  // namespace giza
