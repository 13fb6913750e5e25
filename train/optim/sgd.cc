// Stochastic gradient descent with momentum over the parameters of a model.
#include "train/optim/sgd.h"

#include <utility>

#include "models/pspnet.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/sgd.h"
#include "tensor/profile/profile.h"

namespace giza::train {

Sgd::Sgd(std::vector<layers::NamedParameter> parameters, const SgdConfig& config)
    : parameters_(std::move(parameters)), config_(config) {
  for (const layers::NamedParameter& parameter : parameters_) {
    velocities_.push_back({parameter.name, Tensor::zeros(parameter.variable.shape())});
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
    const double factor = models::is_new_layer(parameters_[i].name) ? config_.new_layer_factor : 1.0;
    ops::sgd_step(parameters_[i].variable.value(), velocities_[i].tensor,
                  gradient.dense() ? gradient : gradient.clone(),
                  {.learning_rate = static_cast<float>(learning_rate * factor),
                   .momentum = static_cast<float>(config_.momentum),
                   .weight_decay = static_cast<float>(config_.weight_decay)});
  }
}

void Sgd::zero_grad() {
  for (layers::NamedParameter& parameter : parameters_) parameter.variable.zero_grad();
}

}  // namespace giza::train
