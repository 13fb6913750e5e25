// Stochastic gradient descent with momentum over the parameters of a model.
#pragma once

#include <string>
#include <vector>

#include "layers/module.h"

namespace giza::train {

struct SgdConfig {
  double momentum = 0.9;
  double weight_decay = 1e-4;    ///< on every parameter, biases and batch norms included
  double new_layer_factor = 10;  ///< on the learning rate of models::is_new_layer
};

class Sgd {
 public:
  Sgd(std::vector<layers::NamedParameter> parameters, const SgdConfig& config);

  /// Name of the first parameter whose gradient has a NaN or infinity; empty if none has.
  std::string first_non_finite_gradient() const;
  /// Updates every parameter that has a gradient. Check the gradients first.
  void step(double learning_rate);
  void zero_grad();

  /// Velocity of each parameter, [K,R,S,C] as the parameter, zeros before its first step.
  struct Velocity {
    std::string name;
    Tensor tensor;
  };
  const std::vector<Velocity>& velocities() const { return velocities_; }

 private:
  std::vector<layers::NamedParameter> parameters_;
  std::vector<Velocity> velocities_;
  SgdConfig config_;
};

}  // namespace giza::train
