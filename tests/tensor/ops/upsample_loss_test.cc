// Enlargement fused with cross-entropy and argmax: against the oracle, and against the ops one after the other.
#include "tensor/ops/upsample_loss.h"

#include <algorithm>
#include <cmath>

#include "tensor/ops/resize.h"
#include "tests/support/op_testing.h"

namespace giza {
namespace {

using oracle::Array;

struct Problem {
  Tensor x;
  Labels labels;
  ops::CrossEntropyOptions options;
  oracle::CrossEntropy oracle_options;

  explicit Problem(const OpCase& row) {
    const uint64_t seed = seed_of(row.name());
    x = make_numbers(row.input(), row.data, seed);
    labels = make_labels(row.n, row.out_h, row.out_w, row.c(), 255, row.all_ignored, seed + 1);
    if (!row.class_weights) return;
    const Tensor weights = make_numbers({row.c()}, CaseData::normal, seed + 2);
    for (int64_t c = 0; c < row.c(); ++c) weights.data()[c] = std::abs(weights.data()[c]);
    options.class_weights = weights;
    oracle_options.class_weights = Array(weights);
  }
};

TEST_CASE("upsample_cross_entropy: every target and layout") {
  constexpr float kSeed = 0.4F;
  for (const OpCase& row : op_cases("upsample_cross_entropy")) {
    CAPTURE(row.name());
    const Problem p(row);
    const Array enlarged = oracle::resize_bilinear(Array(p.x), row.out_h, row.out_w, row.align_corners);
    const oracle::CrossEntropyForward expected = oracle::cross_entropy(enlarged, p.labels, p.oracle_options);
    const Array expected_loss({1}, expected.loss);
    const Array expected_gradient =
        oracle::cross_entropy_backward(static_cast<double>(kSeed), enlarged, p.labels, p.oracle_options);
    const Array expected_dx = oracle::resize_bilinear_backward(expected_gradient, row.input(), row.align_corners);
    double scale = oracle::norm(expected_dx);
    // Logits of 10^4 are rounded to 10^-3 when they are enlarged: their softmax is held against one whose inputs are
    // those floats, as in the test below; here only against its size.
    const bool coarse = row.data == CaseData::large || row.data == CaseData::offset;
    if (coarse) scale = std::max(scale, static_cast<double>(kSeed));
    for_each_setting([&](Layout layout) {
      const Placed input(p.x, layout);
      const auto result = ops::upsample_cross_entropy(input, p.labels, row.align_corners, p.options);
      CHECK_SAME(differs(result.loss.loss, expected_loss, coarse ? 4e-4 : 4e-6));
      CHECK_SAME(differs(result.loss.lse, expected.lse, 1e-6));
      CHECK(result.loss.weight == doctest::Approx(expected.weight).epsilon(1e-12));
      const Tensor dx =
          ops::upsample_cross_entropy_backward(kSeed, input, p.labels, result.loss, row.align_corners, p.options);
      CHECK_SAME(differs(dx, expected_dx, coarse ? 1e-3 : 4e-6, scale));
      CHECK(input.intact());
    });
    CHECK_SAME(differs_between_threads([&] {
      const auto r = ops::upsample_cross_entropy(p.x, p.labels, row.align_corners, p.options);
      return std::vector<Tensor>{
          r.loss.loss, r.loss.lse,
          ops::upsample_cross_entropy_backward(1.0F, p.x, p.labels, r.loss, row.align_corners, p.options)};
    }));
  }
}

TEST_CASE("upsample_cross_entropy: the numbers of resize_bilinear, then cross_entropy and argmax") {
  for (const OpCase& row : op_cases("upsample_cross_entropy")) {
    CAPTURE(row.name());
    const Problem p(row);
    for_each_setting([&](Layout layout) {
      const Placed input(p.x, layout);
      const Tensor enlarged = ops::resize_bilinear(input, row.out_h, row.out_w, row.align_corners);
      const ops::CrossEntropyResult expected = ops::cross_entropy(enlarged, p.labels, p.options);
      const auto result = ops::upsample_cross_entropy(input, p.labels, row.align_corners, p.options);
      CHECK(same_bits(result.loss.lse, expected.lse));
      // The partial sums are cut elsewhere, but they are in double.
      CHECK_SAME(differs(result.loss.loss, Array(expected.loss), 1e-7));
      CHECK(result.loss.weight == doctest::Approx(expected.weight).epsilon(1e-14));
      const Labels guess = ops::argmax(enlarged);
      int64_t valid = 0, right = 0;
      for (size_t i = 0; i < guess.values.size(); ++i) {
        valid += p.labels.values[i] != 255;
        right += p.labels.values[i] != 255 && p.labels.values[i] == guess.values[i];
      }
      CHECK(result.valid == valid);
      CHECK(result.right == right);
      const Tensor gradient = ops::cross_entropy_backward(1.0F, enlarged, p.labels, expected, p.options);
      const Array expected_dx(ops::resize_bilinear_backward(gradient, row.input(), row.align_corners));
      const Tensor dx =
          ops::upsample_cross_entropy_backward(1.0F, input, p.labels, result.loss, row.align_corners, p.options);
      CHECK_SAME(differs(dx, expected_dx, 2e-6));
    });
  }
}

TEST_CASE("upsample_cross_entropy: nothing valid means loss 0 and gradient 0") {
  for (CaseData data : {CaseData::normal, CaseData::nan}) {
    const Tensor x = make_numbers({1, 3, 3, 7}, data, 1);
    const Labels labels(1, 9, 9, 255);
    const auto result = ops::upsample_cross_entropy(x, labels, true, {});
    CHECK(result.loss.loss.item() == 0.0F);
    CHECK(result.valid == 0);
    CHECK(result.right == 0);
    CHECK_SAME(differs_exactly(ops::upsample_cross_entropy_backward(1.0F, x, labels, result.loss, true, {}),
                               Array(x.shape())));
  }
}

TEST_CASE("upsample_cross_entropy: an ignored pixel is neither valid nor right, even where its number is a class") {
  const Tensor x = make_numbers({1, 3, 3, 4}, CaseData::normal, 2);
  const Labels guess = ops::upsample_argmax(x, 9, 9, true);
  const int32_t ignored = guess.values.front();
  const auto result = ops::upsample_cross_entropy(x, guess, true, {.ignore_label = ignored, .class_weights = {}});
  const auto others = std::count_if(guess.values.begin(), guess.values.end(), [&](int32_t v) { return v != ignored; });
  CHECK(others > 0);
  CHECK(result.valid == others);
  CHECK(result.right == others);
}

TEST_CASE("upsample_argmax: bit for bit what the ops give one after the other") {
  for (const OpCase& row : op_cases("upsample_argmax")) {
    CAPTURE(row.name());
    const Tensor x = make_numbers(row.input(), row.data, seed_of(row.name()));
    for_each_setting([&](Layout layout) {
      const Placed input(x, layout);
      const Tensor enlarged = ops::resize_bilinear(input, row.out_h, row.out_w, row.align_corners);
      const Labels labels = ops::upsample_argmax(input, row.out_h, row.out_w, row.align_corners);
      CHECK(labels.n == row.n);
      CHECK(labels.h == row.out_h);
      CHECK(labels.w == row.out_w);
      CHECK(labels.values == ops::argmax(enlarged).values);
      CHECK(ops::upsample_softmax_argmax(input, row.out_h, row.out_w, row.align_corners).values ==
            ops::argmax(ops::softmax(enlarged)).values);
      CHECK(input.intact());
    });
    if (row.data != CaseData::integer && row.data != CaseData::ties) continue;
    // Exact products: the oracle's labels too.
    const Array enlarged = oracle::resize_bilinear(Array(x), row.out_h, row.out_w, row.align_corners);
    CHECK(ops::upsample_argmax(x, row.out_h, row.out_w, row.align_corners).values == oracle::argmax(enlarged).values);
  }
}

TEST_CASE("upsample ops: messages show what does not fit, and where") {
  const Tensor x = Tensor::zeros({1, 3, 4, 5});
  CHECK_SHAPE_ERROR(ops::upsample_cross_entropy(x, Labels(2, 9, 9), true, {}), "[1,3,4,5]", "[2,9,9]");
  CHECK_SHAPE_ERROR(ops::upsample_cross_entropy(x, Labels(1, 0, 9), true, {}), "[1,3,4,5]", "0x9");
  CHECK_SHAPE_ERROR(ops::upsample_cross_entropy(x, Labels(1, 9, 9), true, {.class_weights = Tensor::zeros({6})}), "[6]",
                    "[1,3,4,5]");
  CHECK_SHAPE_ERROR(ops::upsample_argmax(x, 0, 9, true), "[1,3,4,5]", "0x9");
  Labels labels(1, 9, 9);
  labels.at(0, 7, 6) = 5;
  CHECK_SHAPE_ERROR(ops::upsample_cross_entropy(x, labels, true, {}), "label 5", "n=0, y=7, x=6");
}

}  // namespace
}  // namespace giza
