// Stochastic gradient descent with momentum over groups of parameters.
#pragma once

#include <string>
#include <vector>

#include "layers/module.h"
#include "tensor/ops/batch_share.h"

namespace giza::train {

struct SgdConfig {
  double momentum = 0.9;
  double weight_decay = 1e-4;  ///< on every parameter, biases and batch norms included
};

/// Where several ranks share the batch, each updates a part of every weight, keeps the velocity of that part alone, and
/// gets the new numbers of the others (tensor/ops/batch_share.h). All ranks call the same functions in the same order.
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
  /// Of several ranks: copies, complete at the rank that leads and undefined at the others.
  std::vector<Velocity> velocities() const;
  /// Takes velocities, in the order and the shapes of velocities(). Of several ranks: those of the rank that leads, and
  /// what the others give is not read.
  void set_velocities(const std::vector<Velocity>& velocities);

 private:
  struct Entry {
    layers::NamedParameter parameter;
    double rate, weight_decay;  // factors
    ops::OwnedPart part;
    Tensor velocity;  // of the part; of all as the parameter, else flat

    /// Of a dense tensor of the parameter's shape.
    Tensor own(const Tensor& tensor) const { return ops::numbers_of(part, tensor); }
  };
  /// Sends the new numbers of this rank's parts to all ranks, and takes theirs.
  void spread() const;

  std::vector<Entry> entries_;
  SgdConfig config_;
};

}  // namespace giza::train
