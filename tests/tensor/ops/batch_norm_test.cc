// Batch normalisation against the oracle.
#include "tensor/ops/batch_norm.h"

#include <cmath>

#include "tensor/ops/elementwise.h"
#include "tests/support/op_testing.h"

namespace giza {
namespace {

using oracle::Array;

constexpr double kForward = 1e-6, kBackward = 2e-6;

struct Problem {
  OpCase row;
  Tensor x, gamma, beta, mean, var, residual, dy;
  oracle::Norm norm;
  ops::BatchNormOptions options;

  explicit Problem(const OpCase& r) : row(r) {
    const uint64_t seed = seed_of(row.name());
    const Shape vector{row.c()};
    x = make_numbers(row.input(), row.data, seed);
    gamma = make_numbers(vector, CaseData::normal, seed + 1);
    beta = make_numbers(vector, CaseData::normal, seed + 2);
    // A running mean near the data's, so that evaluation mode cancels as it does in a trained net.
    mean = make_numbers(vector, row.data == CaseData::offset ? CaseData::offset : CaseData::normal, seed + 3);
    var = make_numbers(vector, CaseData::normal, seed + 4);
    for (int64_t c = 0; c < row.c(); ++c) var.data()[c] = 0.5F + std::abs(var.data()[c]);
    if (row.residual) residual = make_numbers(row.input(), CaseData::normal, seed + 5);
    dy = make_numbers(row.input(), CaseData::normal, seed + 6);
    norm.relu = options.relu = row.relu;
  }

  Array oracle_residual() const { return row.residual ? Array(residual) : Array(); }

  /// The size of dx before its mean and its part along x are taken away: where there are few values per channel, little
  /// or nothing is left, and the error is held against this instead.
  double gradient_scale(const Array& invstd, const Array& dx) const {
    if (row.n * row.h * row.w >= 8) return oracle::norm(dx);
    Array whole(dy);
    for (int64_t i = 0; i < whole.size(); ++i) {
      whole[i] *= static_cast<double>(gamma.data()[i % row.c()]) * invstd[i % row.c()];
    }
    return oracle::norm(whole);
  }
};

void check_gradients(const ops::BatchNormGradients& actual, const oracle::NormGradients& expected, bool residual,
                     double scale) {
  CHECK_SAME(differs(actual.x, expected.x, kBackward, scale));
  CHECK_SAME(differs(actual.gamma, expected.gamma, kBackward));
  CHECK_SAME(differs(actual.beta, expected.beta, kBackward));
  if (residual) CHECK_SAME(differs_exactly(actual.residual, expected.residual));
}

TEST_CASE("batch_norm_train: every target and layout") {
  for (const OpCase& row : op_cases("batch_norm_train")) {
    CAPTURE(row.name());
    const Problem p(row);
    const oracle::NormForward expected = oracle::batch_norm_train(
        Array(p.x), Array(p.gamma), Array(p.beta), Array(p.mean), Array(p.var), p.oracle_residual(), p.norm);
    Tensor mask;
    oracle::NormGradients gradients;
    for_each_setting([&](Layout layout) {
      const Placed x(p.x, layout), dy(p.dy, layout);
      const Tensor residual = row.residual ? Placed(p.residual, Layout::padded).view() : Tensor();
      const Tensor mean = p.mean.clone(), var = p.var.clone();
      const ops::BatchNormResult result = ops::batch_norm_train(x, p.gamma, p.beta, mean, var, residual, p.options);
      CHECK_SAME(differs(result.y, expected.y, kForward));
      CHECK_SAME(differs(result.invstd, expected.invstd, kForward));
      CHECK_SAME(differs(var, expected.running_var, kForward));
      if (row.data == CaseData::inf) {  // whether its mean is an infinity or a NaN is nobody's contract
        CHECK_FALSE(ops::all_finite(result.mean));
        CHECK_FALSE(ops::all_finite(mean));
      } else {
        CHECK_SAME(differs(result.mean, expected.mean, kForward));
        CHECK_SAME(differs(mean, expected.running_mean, kForward));
      }

      // The mask is the op's own y: an element within rounding of the kink may lie on either side.
      const Placed y(result.y, layout);
      if (!same_bits(result.y, mask)) {  // slow, and nearly always the same as in the setting before
        mask = result.y;
        gradients = oracle::batch_norm_train_backward(Array(p.dy), Array(p.x), Array(mask), Array(p.gamma), p.norm);
      }
      check_gradients(ops::batch_norm_train_backward(dy, x, row.relu ? y.view() : Tensor(), p.gamma, result.mean,
                                                     result.invstd, row.residual, p.options),
                      gradients, row.residual, p.gradient_scale(expected.invstd, gradients.x));
      if (!row.residual) {  // output and mask made again from x, as the backward pass of a network does
        CHECK(same_bits(ops::batch_norm_again(x, result.affine, row.relu), result.y));
        check_gradients(ops::batch_norm_train_backward(dy, x, {}, p.gamma, result.mean, result.invstd, false, p.options,
                                                       result.affine),
                        gradients, false, p.gradient_scale(expected.invstd, gradients.x));
      }
      CHECK(x.intact());
      CHECK(dy.intact());
      CHECK(y.intact());
    });
    CHECK_SAME(differs_between_threads([&] {
      const Tensor mean = p.mean.clone(), var = p.var.clone();
      const ops::BatchNormResult r = ops::batch_norm_train(p.x, p.gamma, p.beta, mean, var, p.residual, p.options);
      const ops::BatchNormGradients g =
          ops::batch_norm_train_backward(p.dy, p.x, r.y, p.gamma, r.mean, r.invstd, row.residual, p.options);
      return std::vector<Tensor>{r.y, r.mean, r.invstd, mean, var, g.x, g.gamma, g.beta, g.residual};
    }));
  }
}

TEST_CASE("batch_norm_eval: every target and layout") {
  for (const OpCase& row : op_cases("batch_norm_eval")) {
    CAPTURE(row.name());
    const Problem p(row);
    const Array expected = oracle::batch_norm_eval(Array(p.x), Array(p.gamma), Array(p.beta), Array(p.mean),
                                                   Array(p.var), p.oracle_residual(), p.norm);
    for_each_setting([&](Layout layout) {
      const Placed x(p.x, layout), dy(p.dy, layout);
      const Tensor residual = row.residual ? Placed(p.residual, Layout::padded).view() : Tensor();
      const Tensor result = ops::batch_norm_eval(x, p.gamma, p.beta, p.mean, p.var, residual, p.options);
      CHECK_SAME(differs(result, expected, kForward));
      const Placed y(result, layout);
      const oracle::NormGradients gradients = oracle::batch_norm_eval_backward(
          Array(p.dy), Array(p.x), Array(result), Array(p.gamma), Array(p.mean), Array(p.var), p.norm);
      check_gradients(ops::batch_norm_eval_backward(dy, x, row.relu ? y.view() : Tensor(), p.gamma, p.mean, p.var,
                                                    row.residual, p.options),
                      gradients, row.residual, oracle::norm(gradients.x));
      CHECK(x.intact());
      CHECK(dy.intact());
      CHECK(y.intact());
    });
    CHECK_SAME(differs_between_threads([&] {
      const Tensor y = ops::batch_norm_eval(p.x, p.gamma, p.beta, p.mean, p.var, p.residual, p.options);
      const ops::BatchNormGradients g =
          ops::batch_norm_eval_backward(p.dy, p.x, y, p.gamma, p.mean, p.var, row.residual, p.options);
      return std::vector<Tensor>{y, g.x, g.gamma, g.beta, g.residual};
    }));
  }
}

TEST_CASE("batch_norm_train: zero variance gives beta exactly") {
  const Tensor x = Tensor::full({2, 7, 7, 17}, 1234.567F);
  const Tensor gamma = make_numbers({17}, CaseData::normal, 1), beta = make_numbers({17}, CaseData::normal, 2);
  for_each_target([&](const std::string& target) {
    CAPTURE(target);
    const Tensor mean = Tensor::zeros({17}), var = Tensor::full({17}, 1.0F);
    const Tensor y = ops::batch_norm_train(x, gamma, beta, mean, var, {}, {}).y;
    Array expected(x.shape());
    for (int64_t i = 0; i < expected.size(); ++i) expected[i] = static_cast<double>(beta.data()[i % 17]);
    CHECK_SAME(differs_exactly(y, expected));
  });
}

TEST_CASE("batch_norm_train: refuses what has no variance, and leaves the running statistics alone") {
  const Tensor one = Tensor::full({8}, 1.0F), mean = Tensor::zeros({8}), var = Tensor::full({8}, 1.0F);
  auto train = [&](const Shape& shape) {
    return shape_error([&] { ops::batch_norm_train(Tensor::zeros(shape), one, one, mean, var, {}, {}); });
  };
  const std::string single = train({1, 1, 1, 8});
  INFO(single);
  CHECK(single.find("[1,1,1,8]") != std::string::npos);
  CHECK(single.find("single value") != std::string::npos);
  CHECK(single.find("larger batch") != std::string::npos);
  CHECK(train({0, 7, 7, 8}) != "no error");
  CHECK_SAME(differs_exactly(mean, Array({8}, 0.0)));
  CHECK_SAME(differs_exactly(var, Array({8}, 1.0)));
}

TEST_CASE("batch_norm: messages show both shapes") {
  const Tensor x = Tensor::zeros({2, 3, 3, 8}), v = Tensor::zeros({8}), bad = Tensor::zeros({9});
  CHECK_SHAPE_ERROR(ops::batch_norm_train(x, bad, v, v, v, {}, {}), "[9]", "[2,3,3,8]");
  CHECK_SHAPE_ERROR(ops::batch_norm_train(x, v, bad, v, v, {}, {}), "[9]", "[2,3,3,8]");
  CHECK_SHAPE_ERROR(ops::batch_norm_train(x, v, v, bad, v, {}, {}), "[9]", "[2,3,3,8]");
  CHECK_SHAPE_ERROR(ops::batch_norm_train(x, v, v, v, bad, {}, {}), "[9]", "[2,3,3,8]");
  CHECK_SHAPE_ERROR(ops::batch_norm_train(x, v, v, v, v, Tensor::zeros({2, 3, 4, 8}), {}), "[2,3,4,8]", "[2,3,3,8]");
  CHECK_SHAPE_ERROR(ops::batch_norm_eval(x, v, v, v, bad, {}, {}), "[9]", "[2,3,3,8]");
  CHECK_SHAPE_ERROR(ops::batch_norm_train_backward(Tensor::zeros({2, 3, 4, 8}), x, x, v, v, v, false, {}), "[2,3,4,8]",
                    "[2,3,3,8]");
  CHECK_SHAPE_ERROR(ops::batch_norm_eval_backward(Tensor::zeros({2, 3, 4, 8}), x, x, v, v, v, false, {}), "[2,3,4,8]",
                    "[2,3,3,8]");
}

}  // namespace
}  // namespace giza
