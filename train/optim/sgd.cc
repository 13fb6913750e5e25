// Stochastic gradient descent with momentum over groups of parameters.
#include "train/optim/sgd.h"

#include "tensor/ops/elementwise.h"
#include "tensor/ops/sgd.h"
#include "tensor/profile/profile.h"

namespace giza::train {

Sgd::Sgd(const std::vector<layers::ParameterGroup>& groups, const SgdConfig& config) : config_(config) {
  for (const layers::ParameterGroup& group : groups) {
    for (const layers::NamedParameter& parameter : group.parameters) {
      const bool bias = parameter.name == "bias" || parameter.name.ends_with(".bias");
      parameters_.push_back(parameter);
      factors_.push_back({group.rate_factor * (bias ? group.bias_factor : 1), group.weight_decay_factor});
      velocities_.push_back({parameter.name, Tensor::zeros(parameter.variable.shape())});
    }
  }
}

std::string Sgd::first_non_finite_gradient() const {
  for (const layers::NamedParameter& parameter : parameters_) {
    const Tensor gradient = parameter.variable.grad();
    if (gradient.defined() && !ops::all_finite(gradient)) return parameter.name;
  }
  return {};
}

void Sgd::step(double learning_rate) {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor gradient = parameters_[i].variable.grad();
    if (!gradient.defined()) continue;
    const profile::Layer layer(layers::module_of(parameters_[i].name), profile::Pass::update);
    ops::sgd_step(parameters_[i].variable.value(), velocities_[i].tensor,
                  gradient.dense() ? gradient : gradient.clone(),
                  {.learning_rate = static_cast<float>(learning_rate * factors_[i].rate),
                   .momentum = static_cast<float>(config_.momentum),
                   .weight_decay = static_cast<float>(config_.weight_decay * factors_[i].weight_decay)});
  }
}

void Sgd::zero_grad() {
  for (layers::NamedParameter& parameter : parameters_) parameter.variable.zero_grad();
}

}  // namespace giza::train
