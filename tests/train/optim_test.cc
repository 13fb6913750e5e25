// SGD against PyTorch's, and the learning rate's curve.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "models/scene_parser.h"
#include "train/optim/lr_schedule.h"
#include "train/optim/poly_lr.h"
#include "train/optim/sgd.h"
#include "train/optim/weight_average.h"

namespace giza::train {
namespace {

using autograd::Variable;

/// Gives a leaf this gradient: the derivative of its product with a seed.
void set_gradient(const Variable& leaf, const std::vector<float>& gradient) {
  autograd::backward(autograd::scale(leaf, 1.0F), Tensor::from(leaf.shape(), gradient));
}

Variable leaf_of(const std::vector<float>& values) {
  return Variable(Tensor::from({static_cast<int64_t>(values.size())}, values), true);
}

void check_close(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) CHECK(a[i] == doctest::Approx(b[i]).epsilon(1e-6));
}

TEST_CASE("sgd: four steps as PyTorch takes them, the new layers at ten times the rate") {
  std::ifstream stream(std::string(GIZA_SOURCE_DIR) + "/tests/golden/sgd.json");
  REQUIRE(stream.good());
  const nlohmann::json golden = nlohmann::json::parse(stream);
  std::vector<layers::NamedParameter> parameters;
  for (const auto& [name, values] : golden["parameters"].items()) {
    parameters.push_back({name, leaf_of(values.get<std::vector<float>>())});
  }
  layers::ParameterGroup backbone, rest{.rate_factor = 10};
  for (const auto& parameter : parameters) {
    (models::is_new_layer(parameter.name) ? rest : backbone).parameters.push_back(parameter);
  }
  Sgd sgd({backbone, rest}, {.momentum = golden["momentum"], .weight_decay = golden["weight_decay"]});
  for (const auto& step : golden["steps"]) {
    sgd.zero_grad();
    for (const auto& parameter : parameters) {
      set_gradient(parameter.variable, step["gradients"][parameter.name].get<std::vector<float>>());
    }
    CHECK(sgd.first_non_finite_gradient().empty());
    sgd.step(step["rate"]);
    for (const auto& parameter : parameters) {
      const auto& values = step["parameters"][parameter.name];
      check_close(parameter.variable.value().to_vector(), values.get<std::vector<float>>());
    }
    const std::vector<Sgd::Velocity> velocities = sgd.velocities();
    REQUIRE(velocities.size() == parameters.size());
    for (const auto& [name, velocity] : velocities) {
      check_close(velocity.to_vector(), step["velocities"][name].get<std::vector<float>>());
    }
  }
}

TEST_CASE("sgd: a parameter without a gradient stays, decay included; bad gradients are named") {
  std::vector<layers::NamedParameter> parameters = {
      {"a", leaf_of({1, 2})}, {"b", leaf_of({3})}, {"c", leaf_of({4, 5, 6})}};
  Sgd sgd({{.parameters = parameters}}, {});
  set_gradient(parameters[0].variable, {1, 1});
  set_gradient(parameters[2].variable, {1, 1, 1});
  sgd.step(0.5);
  CHECK(parameters[0].variable.value().to_vector()[0] != 1);
  CHECK(parameters[1].variable.value().item() == 3);
  CHECK(parameters[2].variable.value().to_vector()[0] != 4);  // those behind it move
  set_gradient(parameters[2].variable, {0, std::numeric_limits<float>::infinity(), 0});
  CHECK(sgd.first_non_finite_gradient() == "c");
  set_gradient(parameters[1].variable, {std::nanf("")});
  CHECK(sgd.first_non_finite_gradient() == "b");
  sgd.zero_grad();
  CHECK(sgd.first_non_finite_gradient().empty());
}

TEST_CASE("sgd: the factors of groups") {
  const auto moved = [](const layers::ParameterGroup& factors) {
    layers::ParameterGroup group = factors;
    group.parameters = {{"a.weight", leaf_of({2})}, {"a.bias", leaf_of({2})}};
    for (const auto& parameter : group.parameters) set_gradient(parameter.variable, {1});
    Sgd({group}, {.momentum = 0, .weight_decay = 0.5}).step(0.25);
    return std::pair(2 - group.parameters[0].variable.value().item(), 2 - group.parameters[1].variable.value().item());
  };
  CHECK(moved({}) == std::pair(0.5F, 0.5F));  // 0.25 (1 + 0.5 * 2)
  CHECK(moved({.rate_factor = 2}) == std::pair(1.0F, 1.0F));
  CHECK(moved({.weight_decay_factor = 0}) == std::pair(0.25F, 0.25F));
  CHECK(moved({.rate_factor = 0.5, .bias_factor = 2}) == std::pair(0.25F, 0.5F));
}

TEST_CASE("learning rates: poly, step and fixed, each with warm-up") {
  LrSchedule schedule{.base = 0.1, .steps = {32000, 48000}, .iterations = 64000};
  for (const int64_t t : {0, 1, 31999, 63999}) CHECK(schedule.rate(t) == poly_lr(0.1, t, 64000, 0.9));
  schedule.policy = LrPolicy::step;
  for (const auto& [t, rate] : std::vector<std::pair<int64_t, double>>{{0, 0.1},
                                                                       {31999, 0.1},
                                                                       {32000, 0.1 * 0.1},
                                                                       {47999, 0.1 * 0.1},
                                                                       {48000, 0.1 * 0.1 * 0.1},
                                                                       {63999, 0.1 * 0.1 * 0.1}}) {
    CHECK(schedule.rate(t) == rate);
  }
  schedule.steps = {4, 4, 10};  // twice at once
  schedule.gamma = 0.5;
  CHECK(schedule.rate(4) == 0.025);
  schedule.policy = LrPolicy::fixed;
  CHECK(schedule.rate(63999) == 0.1);
  schedule.warmup = 4;
  CHECK(schedule.rate(0) == 0.025);
  CHECK(schedule.rate(4) == 0.1);
  schedule.policy = LrPolicy::step;
  schedule.steps = {2};
  CHECK(schedule.rate(2) == doctest::Approx(0.1 * 0.5 * 0.75));
}

TEST_CASE("poly_lr: the curve, its ends, and warm-up") {
  CHECK(poly_lr(0.01, 0, 100, 0.9) == 0.01);
  CHECK(poly_lr(0.01, 50, 100, 0.9) == doctest::Approx(0.01 * 0.535886731));  // 0.5^0.9
  CHECK(poly_lr(0.01, 99, 100, 0.9) == doctest::Approx(0.01 * std::pow(0.01, 0.9)));
  CHECK(poly_lr(0.01, 100, 100, 0.9) == 0);
  CHECK(poly_lr(0.01, 30, 100, 0) == 0.01);
  CHECK(poly_lr(1, 0, 100, 1, 4) == 0.25);
  CHECK(poly_lr(1, 1, 100, 1, 4) == doctest::Approx(0.99 * 0.5));
  CHECK(poly_lr(1, 3, 100, 1, 4) == doctest::Approx(0.97));
  CHECK(poly_lr(1, 4, 100, 1, 4) == doctest::Approx(0.96));
}

/// One weight and one running statistic.
struct Pair : layers::Module {
  Variable weight = add_parameter("weight", Tensor::full({1}, 8.0F));
  Tensor mean = add_buffer("running_mean", Tensor::full({1}, -8.0F));
};

TEST_CASE("weight average: the share of each step, its start, and the exchange") {
  const Pair pair;
  WeightAverage average(pair, 0.5);
  double expected = 8;
  for (int step = 1; step <= 20; ++step) {
    const double value = 100.0 / step;
    pair.weight.value().data()[0] = static_cast<float>(value);
    pair.mean.data()[0] = static_cast<float>(-value);
    average.update(step);
    const double decay = std::min(0.5, (1.0 + step) / (10.0 + step));  // 2/11, 3/12, ... and 1/2 from the eighth on
    expected = decay * expected + (1 - decay) * value;
    REQUIRE(average.entries().size() == 2);
    CHECK(average.entries()[0].name == "weight");
    CHECK(average.entries()[0].average.item() == doctest::Approx(expected).epsilon(1e-6));
    CHECK(average.entries()[1].average.item() == doctest::Approx(-expected).epsilon(1e-6));
  }
  {
    const WithAverage averaged(&average);
    CHECK(pair.weight.value().item() == doctest::Approx(expected).epsilon(1e-6));
    CHECK(pair.mean.item() == doctest::Approx(-expected).epsilon(1e-6));
    const WithAverage nothing(nullptr);
  }
  CHECK(pair.weight.value().item() == 5);
  average.restart();
  CHECK(average.entries()[0].average.item() == 5);
}

}  // namespace
}  // namespace giza::train
