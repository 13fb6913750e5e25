// Stochastic gradient descent with momentum over groups of parameters.
#pragma once

#include <string>
#include <vector>

#include "layers/module.h"

namespace giza::train {

struct SgdConfig {
  double momentum = 0.9;
  double weight_decay = 1e-4;  ///< on every parameter, biases and batch norms included
};

class Sgd {
 public:
  /// Each group has factors of its own on the rate and the decay.
  Sgd(const std::vector<layers::ParameterGroup>& groups, const SgdConfig& config);

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
  struct Factors {
    double rate, weight_decay;
  };
  std::vector<layers::NamedParameter> parameters_;
  std::vector<Factors> factors_;  // of each parameter
  std::vector<Velocity> velocities_;
  SgdConfig config_;
};

}  // namespace giza::train
