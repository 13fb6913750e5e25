// Softmax, cross-entropy and argmax against the oracle.
#include "tensor/ops/softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/support/op_testing.h"
#include "tests/support/refusal.h"

namespace giza {
namespace {

using oracle::Array;

TEST_CASE("softmax: every target and layout") {
  for (const OpCase& row : op_cases("softmax")) {
    CAPTURE(row.name());
    const uint64_t seed = seed_of(row.name());
    const Tensor x = make_numbers(row.input(), row.data, seed),
                 dy = make_numbers(row.input(), CaseData::normal, seed + 1);
    const Array expected = oracle::softmax(Array(x));
    for_each_setting([&](Layout layout) {
      const Placed input(x, layout), gradient(dy, layout);
      const Tensor y = ops::softmax(input);
      CHECK_SAME(differs(y, expected, 1e-6));
      // Where a row is all but one-hot, y (dy - sum) is a small difference: held against y dy.
      const Array output(y), expected_dx = oracle::softmax_backward(Array(dy), output);
      Array terms(dy);
      for (int64_t i = 0; i < terms.size(); ++i) terms[i] *= output[i];
      const double scale = std::max(oracle::norm(expected_dx), oracle::norm(terms));
      CHECK_SAME(differs(ops::softmax_backward(gradient, Placed(y, layout)), expected_dx, 1e-6, scale));
      CHECK(input.intact());
      CHECK(gradient.intact());
    });
    CHECK_SAME(differs_between_threads([&] {
      const Tensor y = ops::softmax(x);
      return std::vector<Tensor>{y, ops::softmax_backward(dy, y)};
    }));
  }
}

TEST_CASE("softmax: rank 2, and impossible classes") {
  const float inf = std::numeric_limits<float>::infinity();
  const float values[] = {0, -inf, 0, 1e4F, -1e4F, 0};
  for_each_target([&](const std::string& target) {
    CAPTURE(target);
    const std::vector<float> y = ops::softmax(Tensor::from({2, 3}, values)).to_vector();
    const float expected[] = {0.5F, 0, 0.5F, 1, 0, 0};
    for (size_t i = 0; i < 6; ++i) CHECK(y[i] == expected[i]);
  });
}

struct LossProblem {
  OpCase row;
  Tensor x, weights;
  Labels labels;
  ops::CrossEntropyOptions options;
  oracle::CrossEntropy oracle_options;

  explicit LossProblem(const OpCase& r) : row(r) {
    const uint64_t seed = seed_of(row.name());
    x = make_numbers(row.input(), row.data, seed);
    labels = make_labels(row.n, row.h, row.w, row.c(), 255, row.all_ignored, seed + 1);
    if (!row.class_weights) return;
    weights = make_numbers({row.c()}, CaseData::normal, seed + 2);
    for (int64_t c = 0; c < row.c(); ++c) weights.data()[c] = std::abs(weights.data()[c]);
    options.class_weights = weights;
    oracle_options.class_weights = Array(weights);
  }
};

TEST_CASE("cross_entropy: every target and layout") {
  constexpr float kSeed = 0.4F;  // d(total loss) / d(auxiliary loss)
  for (const OpCase& row : op_cases("cross_entropy")) {
    CAPTURE(row.name());
    const LossProblem p(row);
    const oracle::CrossEntropyForward expected = oracle::cross_entropy(Array(p.x), p.labels, p.oracle_options);
    const Array expected_dx =
        oracle::cross_entropy_backward(static_cast<double>(kSeed), Array(p.x), p.labels, p.oracle_options);
    Array expected_loss({1}, expected.loss);
    // Where softmax is all but one-hot, the gradient of a right pixel is the small difference p - 1: held against 1.
    double scale = oracle::norm(expected_dx);
    if (row.data == CaseData::large) scale = std::max(scale, static_cast<double>(kSeed) / std::sqrt(expected.weight));
    for_each_setting([&](Layout layout) {
      const Placed input(p.x, layout);
      const ops::CrossEntropyResult result = ops::cross_entropy(input, p.labels, p.options);
      CHECK_SAME(differs(result.loss, expected_loss, 4e-6));
      CHECK_SAME(differs(result.lse, expected.lse, 1e-6));
      CHECK(result.weight == doctest::Approx(expected.weight).epsilon(1e-12));
      const Tensor dx = ops::cross_entropy_backward(kSeed, input, p.labels, result, p.options);
      CHECK_SAME(differs(dx, expected_dx, 4e-6, scale));
      CHECK(input.intact());
    });
    CHECK_SAME(differs_between_threads([&] {
      const ops::CrossEntropyResult r = ops::cross_entropy(p.x, p.labels, p.options);
      return std::vector<Tensor>{r.loss, r.lse, ops::cross_entropy_backward(1.0F, p.x, p.labels, r, p.options)};
    }));
  }
}

TEST_CASE("cross_entropy: nothing valid means loss 0 and gradient 0, whatever the logits") {
  for (CaseData data : {CaseData::normal, CaseData::large, CaseData::nan}) {
    const Tensor x = make_numbers({1, 5, 5, 7}, data, 1);
    const Labels labels(1, 5, 5, 255);
    for_each_target([&](const std::string& target) {
      CAPTURE(target);
      const ops::CrossEntropyResult result = ops::cross_entropy(x, labels, {});
      CHECK(result.loss.item() == 0.0F);
      CHECK(result.weight == 0.0);
      CHECK_SAME(differs_exactly(ops::cross_entropy_backward(1.0F, x, labels, result, {}), Array(x.shape())));
    });
  }
}

TEST_CASE("cross_entropy: class weights of zero") {
  const Tensor x = make_numbers({1, 3, 3, 2}, CaseData::normal, 1);
  const Labels labels(1, 3, 3, 1);
  const float weights[] = {1, 0};
  const ops::CrossEntropyOptions options{.class_weights = Tensor::from({2}, weights)};
  const ops::CrossEntropyResult result = ops::cross_entropy(x, labels, options);
  CHECK(result.loss.item() == 0.0F);
  CHECK_SAME(differs_exactly(ops::cross_entropy_backward(1.0F, x, labels, result, options), Array(x.shape())));
}

TEST_CASE("cross_entropy: an ignore label inside the classes, or negative") {
  const Tensor x = make_numbers({2, 7, 7, 9}, CaseData::normal, 1);
  for (int32_t ignore : {0, 8, -1}) {
    const Labels labels = make_labels(2, 7, 7, 9, ignore, false, 2);
    const ops::CrossEntropyOptions options{.ignore_label = ignore, .class_weights = {}};
    const oracle::CrossEntropy oracle_options{ignore, {}};
    const ops::CrossEntropyResult result = ops::cross_entropy(x, labels, options);
    CHECK_SAME(differs(result.loss, Array({1}, oracle::cross_entropy(Array(x), labels, oracle_options).loss), 4e-6));
    CHECK_SAME(differs(ops::cross_entropy_backward(1.0F, x, labels, result, options),
                       oracle::cross_entropy_backward(1.0, Array(x), labels, oracle_options), 4e-6));
  }
}

TEST_CASE("cross_entropy: messages show what does not fit, and where") {
  const Tensor x = Tensor::zeros({1, 3, 4, 5});
  CHECK_SHAPE_ERROR(ops::cross_entropy(x, Labels(1, 4, 3), {}), "[1,3,4,5]", "[1,4,3]");
  CHECK_SHAPE_ERROR(ops::cross_entropy(x, Labels(1, 3, 4), {.class_weights = Tensor::zeros({6})}), "[6]", "[1,3,4,5]");
  CHECK_SHAPE_ERROR(ops::softmax_backward(x, Tensor::zeros({1, 3, 4, 6})), "[1,3,4,5]", "[1,3,4,6]");
  for (int32_t bad : {5, -1, 254}) {
    Labels labels(1, 3, 4);
    labels.at(0, 2, 1) = bad;
    const std::string message = shape_error([&] { ops::cross_entropy(x, labels, {}); });
    CAPTURE(message);
    CHECK(message.find(std::to_string(bad)) != std::string::npos);
    CHECK(contains(message, "2"));
    CHECK(message != "no error");
  }
}

TEST_CASE("argmax: every target and layout, exact") {
  for (const OpCase& row : op_cases("argmax")) {
    CAPTURE(row.name());
    const Tensor x = make_numbers(row.input(), row.data, seed_of(row.name()));
    const Labels expected = oracle::argmax(Array(x));
    for_each_setting([&](Layout layout) {
      const Placed input(x, layout);
      const Labels labels = ops::argmax(input);
      CHECK(labels.n == row.n);
      CHECK(labels.h == row.h);
      CHECK(labels.w == row.w);
      CHECK(labels.values == expected.values);
      CHECK(input.intact());
    });
  }
}

}  // namespace
}  // namespace giza
