// Base of all layers and models: named parameters, buffers and children.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "autograd/functions/functions.h"
#include "autograd/variable.h"
#include "tensor/random.h"

namespace giza::layers {

using autograd::Variable;

class Frozen;

/// What a forward pass runs under. A plain value handed down the call: nothing about a pass is hidden in a module.
struct Context {
  bool training = false;   ///< batch statistics and dropout
  uint64_t seed = 0;       ///< of dropout
  uint32_t iteration = 0;  ///< of dropout: another mask each iteration
  bool recompute = false;  ///< in training keep only the inputs of residual blocks, and run each again going back
  bool again = false;      ///< this pass repeats one: it leaves running statistics alone
  /// In evaluation: weights made ready once, with batch norm folded in. Null: computed as they stand.
  Frozen* frozen = nullptr;
};

/// A tensor of a model under its state_dict path. Weights are [K,R,S,C].
struct NamedParameter {
  std::string name;
  Variable variable;
};
struct NamedBuffer {
  std::string name;  ///< running_mean or running_var, [C]
  Tensor tensor;
};
/// Parameters that are trained alike.
struct ParameterGroup {
  std::vector<NamedParameter> parameters = {};
  double rate_factor = 1;          ///< on the learning rate
  double weight_decay_factor = 1;  ///< on the weight decay
  double bias_factor = 1;          ///< on the learning rate of parameters called bias, beside rate_factor
};

/// "layer1.0.conv1.weight" -> "layer1.0.conv1": the path of the module that owns it.
inline std::string_view module_of(std::string_view name) {
  const size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : name.substr(0, dot);
}

class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  /// All parameters and buffers of this module and its children, in order of registration (the order of PyTorch's
  /// state_dict for the models here), with paths joined by dots: "layer1.0.conv1.weight".
  std::vector<NamedParameter> parameters() const;
  std::vector<NamedBuffer> buffers() const;
  /// The name of the first parameter or buffer, or of the first buffer (running statistics), that holds NaN or
  /// infinity; empty if none does.
  std::string first_non_finite() const;
  std::string first_non_finite_buffer() const;

  /// Where this module stands in the model that it is part of: "layer1.0.conv1"; empty for the model itself.
  const std::string& path() const { return path_; }

 protected:
  /// Registers state at construction. The handle returned shares its data with the registered one.
  Variable add_parameter(std::string name, Tensor value);
  Tensor add_buffer(std::string name, Tensor value);
  /// The child must live as long as this module: a member, or held by one. Its path and those below it grow by `name`.
  void add_child(std::string name, Module& child);

 private:
  void collect(const std::string& prefix, std::vector<NamedParameter>* parameters,
               std::vector<NamedBuffer>* buffers) const;

  struct Entry {
    std::string name;
    Variable parameter;       // defined for a parameter
    Tensor buffer;            // defined for a buffer
    Module* child = nullptr;  // set for a child
  };
  void prepend_path(const std::string& prefix);

  std::vector<Entry> entries_;
  std::string path_;
};

}  // namespace giza::layers
