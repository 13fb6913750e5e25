// Holds the gradients of an autograd function against differences of its own forward pass.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "autograd/variable.h"
#include "tensor/random.h"
#include "tests/support/op_testing.h"

namespace giza {

using Function = std::function<autograd::Variable(const std::vector<autograd::Variable>&)>;

struct GradcheckOptions {
  /// Large, because floats are coarse: 2^-6. Keep the inputs of ReLU and max pooling at least two steps from a kink.
  float step = 0x1p-6F;
  /// Allowed error, as a share of the largest element of the gradient.
  double tolerance = 4e-3;
};

/// Numbers `spacing` apart in a shuffled order, none within half a spacing of 0: no kinks and no ties.
inline Tensor spread_numbers(const Shape& shape, float spacing, uint64_t seed) {
  const Tensor order = make_numbers(shape, CaseData::normal, seed);
  std::vector<float> values = order.to_vector();
  std::vector<size_t> rank(values.size());
  for (size_t i = 0; i < rank.size(); ++i) rank[i] = i;
  std::sort(rank.begin(), rank.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<float> result(values.size());
  for (size_t i = 0; i < rank.size(); ++i) {
    const size_t middle = rank.size() / 2;
    result[rank[i]] = (static_cast<float>(i) - static_cast<float>(middle) + 0.5F) * spacing;
  }
  return Tensor::from(shape, result);
}

namespace detail {

inline double weighted_sum(const Tensor& y, const Tensor& dy) {
  return oracle::dot(oracle::Array(y), oracle::Array(dy));
}

inline std::string check_one(const Function& f, std::vector<Tensor> values, size_t which, const Tensor& dy,
                             const Tensor& gradient, const GradcheckOptions& options) {
  const autograd::NoGrad no_grad;
  const oracle::Array expected(gradient);
  double largest = 1e-3;
  for (double v : expected.values) largest = std::max(largest, std::abs(v));
  values[which] = values[which].clone();
  auto value_at = [&](int64_t i, float x) {
    values[which].data()[i] = x;
    std::vector<autograd::Variable> inputs;
    for (const Tensor& value : values) inputs.emplace_back(value);
    return weighted_sum(f(inputs).value(), dy);
  };
  for (int64_t i = 0; i < expected.size(); ++i) {
    const float centre = values[which].data()[i], above = centre + options.step, below = centre - options.step;
    const double slope =
        (value_at(i, above) - value_at(i, below)) / (static_cast<double>(above) - static_cast<double>(below));
    values[which].data()[i] = centre;
    if (!(std::abs(slope - expected[i]) <= options.tolerance * largest)) {
      return fmt::format("input {} element {}: gradient {:.6g}, difference {:.6g}", which, i, expected[i], slope);
    }
  }
  return "";
}

}  // namespace detail

/// "" if, for a random seed dy, backward() gives every input the gradient that central differences of sum(dy * f) give,
/// and gives each the same when it is the only one that requires a gradient; else what differs. The inputs are dense.
inline std::string gradcheck(const Function& f, const std::vector<Tensor>& values,
                             const GradcheckOptions& options = {}) {
  const ThreadScope one(1);
  auto gradients_of = [&](auto&& required, Tensor& dy) {
    std::vector<autograd::Variable> inputs;
    for (size_t i = 0; i < values.size(); ++i) inputs.emplace_back(values[i].clone(), required(i));
    const autograd::Variable y = f(inputs);
    dy = make_numbers(y.shape(), CaseData::normal, 99);
    autograd::backward(y, dy);
    std::vector<Tensor> gradients;
    for (const autograd::Variable& input : inputs) gradients.push_back(input.grad());
    return gradients;
  };
  Tensor dy;
  const std::vector<Tensor> gradients = gradients_of([](size_t) { return true; }, dy);
  for (size_t i = 0; i < values.size(); ++i) {
    if (!gradients[i].defined()) return fmt::format("input {}: no gradient", i);
    if (gradients[i].shape() != values[i].shape()) return fmt::format("input {}: wrong shape", i);
    std::string difference = detail::check_one(f, values, i, dy, gradients[i], options);
    if (!difference.empty()) return difference;
    Tensor same;
    const std::vector<Tensor> alone = gradients_of([i](size_t j) { return i == j; }, same);
    for (size_t j = 0; j < values.size(); ++j) {
      if (j == i && !same_bits(alone[j], gradients[j])) return fmt::format("input {}: another gradient when alone", i);
      if (j != i && alone[j].defined()) return fmt::format("input {}: a gradient that nobody asked for", j);
    }
  }
  return "";
}

/// "" if the gradients of sum(dy * f), for a random dy, tell how much it changes when half of an input's elements,
/// drawn at random, move along their gradient; four times for each input. Takes eight forward passes for an input of
/// any size, where gradcheck() takes two for each element.
inline std::string gradcheck_along(const Function& f, const std::vector<Tensor>& values,
                                   const GradcheckOptions& options = {}) {
  std::vector<autograd::Variable> inputs;
  for (const Tensor& value : values) inputs.emplace_back(value.clone(), true);
  const autograd::Variable y = f(inputs);
  const Tensor dy = make_numbers(y.shape(), CaseData::normal, 99);
  autograd::backward(y, dy);
  // What rounding of the outputs leaves in the sum.
  double noise = 0;
  const oracle::Array out(y.value()), weight(dy);
  for (int64_t i = 0; i < out.size(); ++i) noise += out[i] * out[i] * weight[i] * weight[i];
  noise = 0x1p-21 * std::sqrt(noise);
  for (size_t which = 0; which < values.size(); ++which) {
    const Tensor gradient = inputs[which].grad();
    if (!gradient.defined()) return fmt::format("input {}: no gradient", which);
    if (gradient.shape() != values[which].shape()) return fmt::format("input {}: wrong shape", which);
    const oracle::Array slopes(gradient);
    double largest = 0;
    for (double slope : slopes.values) largest = std::max(largest, std::abs(slope));
    if (largest == 0) largest = 1;
    for (uint32_t turn = 0; turn < 4; ++turn) {
      Random random(5, Purpose::test, turn);
      std::vector<float> above = values[which].to_vector(), below = above;
      double predicted = 0;
      for (size_t i = 0; i < above.size(); ++i) {
        if (random.next_below(2) == 0) continue;
        const double slope = slopes.values[i];
        // An element without a gradient moves as well: nothing must change.
        const float step = options.step * (slope == 0 ? 1 : static_cast<float>(slope / largest));
        above[i] += step;
        below[i] -= step;
        predicted += slope * (static_cast<double>(above[i]) - static_cast<double>(below[i]));
      }
      const autograd::NoGrad no_grad;
      auto value_of = [&](const std::vector<float>& moved) {
        std::vector<autograd::Variable> all;
        for (size_t i = 0; i < values.size(); ++i) {
          all.emplace_back(i == which ? Tensor::from(values[i].shape(), moved) : values[i]);
        }
        return detail::weighted_sum(f(all).value(), dy);
      };
      const double found = value_of(above) - value_of(below);
      if (!(std::abs(found - predicted) <= options.tolerance * std::abs(predicted) + noise)) {
        return fmt::format("input {} direction {}: change {:.6g}, predicted {:.6g}", which, turn, found, predicted);
      }
    }
  }
  return "";
}

}  // namespace giza
