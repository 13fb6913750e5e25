// The oracles themselves: every backward against central differences of its forward, in double.
#include "tests/support/oracle.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

#include "tests/support/op_testing.h"

namespace giza {
namespace {

using oracle::Array;

/// Numbers in [-1, 1) that lie on a grid of spacing 2 / count, shuffled: any two differ by far more than the step of a
/// difference, and none is within half a spacing of 0. So max pooling has no ties and ReLU no kinks.
Array spread(const Shape& shape, uint64_t seed) {
  Array a(shape);
  std::mt19937_64 bits(seed);
  const auto count = static_cast<double>(a.size());
  for (int64_t i = 0; i < a.size(); ++i) a[i] = (2.0 * static_cast<double>(i) + 1.0) / count - 1.0;
  for (int64_t i = a.size() - 1; i > 0; --i) {
    std::swap(a[i], a[static_cast<int64_t>(bits() % static_cast<uint64_t>(i + 1))]);
  }
  if (a.size() % 2 == 1) {
    for (double& value : a.values) value += 0.25 / count;  // an odd grid has a point at 0
  }
  return a;
}

constexpr double kStep = 1e-5, kRelative = 1e-6;

/// Holds `gradient` against central differences of value(x) in every element of x.
void check_gradient(Array x, const Array& gradient, const std::function<double(const Array&)>& value) {
  REQUIRE(gradient.shape == x.shape);
  const double size = std::abs(value(x)) + 1;
  for (int64_t i = 0; i < x.size(); ++i) {
    const double centre = x[i];
    x[i] = centre + kStep;
    const double above = value(x);
    x[i] = centre - kStep;
    const double below = value(x);
    x[i] = centre;
    const double slope = (above - below) / (2 * kStep);
    CAPTURE(i);
    // The second term is what rounding of the two values leaves: 2^-53 of them over the step.
    CHECK(std::abs(slope - gradient[i]) <= kRelative * std::abs(gradient[i]) + 1e-9 * size);
  }
}

TEST_CASE("oracle gradients: conv2d") {
  struct {
    Shape x, w;
    oracle::Conv conv;
  } const cases[] = {{{1, 4, 5, 2}, {3, 3, 3, 2}, {1, 1, 1}}, {{2, 5, 4, 3}, {2, 3, 2, 3}, {2, 1, 1}},
                     {{1, 6, 6, 1}, {2, 3, 3, 1}, {1, 2, 2}}, {{1, 3, 3, 2}, {2, 3, 3, 2}, {1, 4, 4}},
                     {{2, 3, 2, 3}, {4, 1, 1, 3}, {1, 0, 1}}, {{1, 7, 7, 1}, {1, 3, 3, 1}, {3, 2, 2}}};
  for (const auto& [x_shape, w_shape, conv] : cases) {
    const Array x = spread(x_shape, 1), w = spread(w_shape, 2), bias = spread({w_shape[0]}, 3);
    const Array dy = spread(oracle::conv2d(x, w, bias, conv).shape, 4);
    check_gradient(x, oracle::conv2d_backward_input(dy, w, x.shape, conv),
                   [&, c = conv](const Array& v) { return oracle::dot(dy, oracle::conv2d(v, w, bias, c)); });
    check_gradient(w, oracle::conv2d_backward_weight(x, dy, w.shape, conv),
                   [&, c = conv](const Array& v) { return oracle::dot(dy, oracle::conv2d(x, v, bias, c)); });
    check_gradient(bias, oracle::sum_rows(dy),
                   [&, c = conv](const Array& v) { return oracle::dot(dy, oracle::conv2d(x, w, v, c)); });
  }
}

TEST_CASE("oracle: conv2d by hand") {
  // 3x3 ones over a 3x3 map of ones with padding 1 counts the taps inside.
  const Array y = oracle::conv2d(Array({1, 3, 3, 1}, 1), Array({1, 3, 3, 1}, 1), {}, {1, 1, 1});
  CHECK(y.values == std::vector<double>{4, 6, 4, 6, 9, 6, 4, 6, 4});
  // Cross-correlation: the tap (0, 0) reads up and left.
  Array w({1, 3, 3, 1}), x({1, 3, 3, 1});
  w.at(0, 0, 0, 0) = 1;
  x.at(0, 1, 0, 0) = 5;
  CHECK(oracle::conv2d(x, w, {}, {1, 1, 1}).at(0, 2, 1, 0) == 5);
}

TEST_CASE("oracle gradients: linear") {
  const Array x = spread({3, 4}, 1), w = spread({5, 4}, 2), bias = spread({5}, 3), dy = spread({3, 5}, 4);
  check_gradient(x, oracle::linear_backward_input(dy, w),
                 [&](const Array& v) { return oracle::dot(dy, oracle::linear(v, w, bias)); });
  check_gradient(w, oracle::linear_backward_weight(x, dy),
                 [&](const Array& v) { return oracle::dot(dy, oracle::linear(x, v, bias)); });
  check_gradient(bias, oracle::sum_rows(dy), [&](const Array& v) { return oracle::dot(dy, oracle::linear(x, w, v)); });
}

TEST_CASE("oracle gradients: transposed convolution") {
  struct {
    Shape x, w, y;
    oracle::Conv conv;
  } const cases[] = {{{2, 3, 2, 2}, {2, 4, 4, 3}, {2, 6, 4, 3}, {2, 1, 1}},
                     {{1, 2, 3, 1}, {1, 3, 3, 2}, {1, 4, 6, 2}, {2, 1, 1}},
                     {{1, 3, 3, 2}, {2, 3, 3, 1}, {1, 7, 7, 1}, {1, 0, 2}}};
  for (const auto& [x_shape, w_shape, y_shape, conv] : cases) {
    const Array x = spread(x_shape, 1), w = spread(w_shape, 2), dy = spread(y_shape, 3);
    const auto value = [&, y = y_shape, c = conv](const Array& a, const Array& b) {
      return oracle::dot(dy, oracle::conv_transpose2d(a, b, y, c));
    };
    check_gradient(x, oracle::conv_transpose2d_backward_input(dy, w, x_shape, conv),
                   [&](const Array& v) { return value(v, w); });
    check_gradient(w, oracle::conv_transpose2d_backward_weight(x, dy, w_shape, conv),
                   [&](const Array& v) { return value(x, v); });
  }
}

TEST_CASE("oracle gradients: maximum and L2 norm") {
  const Array all = spread({4, 3, 2, 5}, 1), dy = spread({2, 3, 2, 5}, 2), gain = spread({5}, 3);
  Array a({2, 3, 2, 5}), b = a;
  std::copy_n(all.values.begin(), a.size(), a.values.begin());
  std::copy_n(all.values.begin() + a.size(), a.size(), b.values.begin());
  const auto [da, db] = oracle::maximum_backward(dy, a, b);
  check_gradient(a, da, [&](const Array& v) { return oracle::dot(dy, oracle::maximum(v, b)); });
  check_gradient(b, db, [&](const Array& v) { return oracle::dot(dy, oracle::maximum(a, v)); });
  const auto [dx, dgain] = oracle::l2_normalize_backward(dy, a, gain);
  check_gradient(a, dx, [&](const Array& v) { return oracle::dot(dy, oracle::l2_normalize(v, gain)); });
  check_gradient(gain, dgain, [&](const Array& v) { return oracle::dot(dy, oracle::l2_normalize(a, v)); });
}

TEST_CASE("oracle gradients: relu, add, concat, dropout") {
  const Array x = spread({2, 3, 4, 5}, 1), other = spread({2, 3, 4, 5}, 2), dy = spread({2, 3, 4, 5}, 3);
  check_gradient(x, oracle::relu_backward(dy, oracle::relu(x)),
                 [&](const Array& v) { return oracle::dot(dy, oracle::relu(v)); });
  check_gradient(x, dy, [&](const Array& v) { return oracle::dot(dy, oracle::add(v, other)); });
  const Array wide = spread({2, 3, 4, 10}, 4);
  check_gradient(x, oracle::channel_slice(wide, 5, 10), [&](const Array& v) {
    return oracle::dot(wide, oracle::concat_channels({other, v}));
  });
  const Array mask = spread({2, 1, 1, 5}, 5);
  check_gradient(x, oracle::dropout2d(dy, mask),
                 [&](const Array& v) { return oracle::dot(dy, oracle::dropout2d(v, mask)); });
}

TEST_CASE("oracle gradients: batch norm, training and evaluation") {
  for (bool relu : {false, true}) {
    for (bool with_residual : {false, true}) {
      CAPTURE(relu);
      CAPTURE(with_residual);
      const oracle::Norm norm{1e-5, 0.1, relu};
      const Shape shape{2, 3, 2, 3}, vector{3};
      const Array x = spread(shape, 1), gamma = spread(vector, 2), beta = spread(vector, 3), dy = spread(shape, 4);
      const Array mean = spread(vector, 5), var = oracle::map(spread(vector, 6), [](double v) { return v * v + 0.5; });
      const Array residual = with_residual ? spread(shape, 7) : Array();
      auto train = [&](const Array& a, const Array& g, const Array& b, const Array& r) {
        return oracle::batch_norm_train(a, g, b, mean, var, r, norm).y;
      };
      auto eval = [&](const Array& a, const Array& g, const Array& b, const Array& r) {
        return oracle::batch_norm_eval(a, g, b, mean, var, r, norm);
      };
      const Array y = train(x, gamma, beta, residual), fixed = eval(x, gamma, beta, residual);
      if (relu) {  // a kink nearer than the step would make the difference meaningless
        const oracle::Norm open{1e-5, 0.1, false};
        const Array before = oracle::batch_norm_train(x, gamma, beta, mean, var, residual, open).y;
        for (double value : before.values) REQUIRE(std::abs(value) > 1e-3);
        for (double value : oracle::batch_norm_eval(x, gamma, beta, mean, var, residual, open).values) {
          REQUIRE(std::abs(value) > 1e-3);
        }
      }
      auto check_all = [&](auto&& forward, const oracle::NormGradients& gradients) {
        check_gradient(x, gradients.x,
                       [&](const Array& v) { return oracle::dot(dy, forward(v, gamma, beta, residual)); });
        check_gradient(gamma, gradients.gamma,
                       [&](const Array& v) { return oracle::dot(dy, forward(x, v, beta, residual)); });
        check_gradient(beta, gradients.beta,
                       [&](const Array& v) { return oracle::dot(dy, forward(x, gamma, v, residual)); });
        if (!with_residual) return;
        check_gradient(residual, gradients.residual,
                       [&](const Array& v) { return oracle::dot(dy, forward(x, gamma, beta, v)); });
      };
      check_all(train, oracle::batch_norm_train_backward(dy, x, y, gamma, norm));
      check_all(eval, oracle::batch_norm_eval_backward(dy, x, fixed, gamma, mean, var, norm));
    }
  }
}

TEST_CASE("oracle gradients: pooling") {
  for (const oracle::Pool pool :
       {oracle::Pool{3, 2, 1}, oracle::Pool{2, 2, 0}, oracle::Pool{3, 1, 1}, oracle::Pool{2, 2, 0, true}}) {
    const Array x = spread({2, 5, 6, 2}, 1), dy = spread(oracle::max_pool2d(x, pool).shape, 2),
                large = spread(x.shape, 5);
    check_gradient(dy, oracle::max_unpool2d_backward(large, x, pool),
                   [&](const Array& v) { return oracle::dot(large, oracle::max_unpool2d(v, x, pool)); });
    check_gradient(x, oracle::avg_pool2d_backward(dy, x.shape, pool),
                   [&](const Array& v) { return oracle::dot(dy, oracle::avg_pool2d(v, pool)); });
    check_gradient(x, oracle::max_pool2d_backward(dy, x, pool),
                   [&](const Array& v) { return oracle::dot(dy, oracle::max_pool2d(v, pool)); });
  }
  for (int64_t bins : {1, 2, 3, 7}) {
    const Array x = spread({2, 5, 4, 2}, 3), dy = spread({2, bins, bins, 2}, 4);
    check_gradient(x, oracle::adaptive_avg_pool2d_backward(dy, x.shape),
                   [&](const Array& v) { return oracle::dot(dy, oracle::adaptive_avg_pool2d(v, bins)); });
    check_gradient(x, oracle::adaptive_max_pool2d_backward(dy, x),
                   [&](const Array& v) { return oracle::dot(dy, oracle::adaptive_max_pool2d(v, bins)); });
  }
}

TEST_CASE("oracle gradients: resize") {
  for (bool align_corners : {false, true}) {
    for (auto [height, width] : {std::pair<int64_t, int64_t>{7, 9}, {2, 3}, {1, 1}, {4, 5}}) {
      const Array x = spread({2, 4, 5, 2}, 1), dy = spread({2, height, width, 2}, 2);
      check_gradient(x, oracle::resize_bilinear_backward(dy, x.shape, align_corners),
                     [&, h = height, w = width](const Array& v) {
                       return oracle::dot(dy, oracle::resize_bilinear(v, h, w, align_corners));
                     });
    }
  }
}

TEST_CASE("oracle gradients: softmax and cross-entropy") {
  const Array x = oracle::map(spread({2, 3, 2, 5}, 1), [](double v) { return 3 * v; }), dy = spread(x.shape, 2);
  check_gradient(x, oracle::softmax_backward(dy, oracle::softmax(x)),
                 [&](const Array& v) { return oracle::dot(dy, oracle::softmax(v)); });
  const Labels labels = make_labels(2, 3, 2, 5, 255, false, 3);
  for (bool weighted : {false, true}) {
    oracle::CrossEntropy options;
    if (weighted) options.class_weights = oracle::map(spread({5}, 4), [](double v) { return v + 1; });
    check_gradient(x, oracle::cross_entropy_backward(0.4, x, labels, options),
                   [&](const Array& v) { return 0.4 * oracle::cross_entropy(v, labels, options).loss; });
  }
}

}  // namespace
}  // namespace giza
