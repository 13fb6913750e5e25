// Reverse-mode automatic differentiation, define by run: a Variable is a tensor and the node that made it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tensor/base/check.h"
#include "tensor/tensor.h"

namespace giza::autograd {

class Variable;

/// One step of the forward pass, with what its backward needs.
struct Node {
  const char* name = "";         ///< the op, for messages: "conv2d"
  std::string layer = {};        ///< the one it belongs to, where a profile is recorded
  uint64_t order = 0;            ///< creation order; an input's is always smaller
  std::vector<Variable> inputs;  ///< what the op read, in the order of the gradients that backward returns
  /// dy -> one gradient per input; undefined for an input that needs none. Changes nothing.
  std::function<std::vector<Tensor>(const Tensor& dy)> backward;
};

/// Makes an activation again from what its op keeps anyway.
using Recompute = std::function<Tensor()>;

/// What a backward pass reads of an activation: the numbers, or how to make them again, so that they need not be kept.
class Saved {
 public:
  Saved() = default;
  explicit Saved(Tensor value) : value_(std::move(value)) {}
  explicit Saved(std::shared_ptr<const Recompute> recompute) : recompute_(std::move(recompute)) {}
  bool defined() const { return value_.defined() || recompute_ != nullptr; }
  /// The same bits as in the forward pass.
  Tensor tensor() const { return recompute_ ? (*recompute_)() : value_; }

 private:
  Tensor value_;
  std::shared_ptr<const Recompute> recompute_;
};

/// Value-semantic handle; copies share value, gradient and node.
class Variable {
 public:
  Variable() = default;
  /// A leaf: data (requires_grad false) or a parameter (true).
  explicit Variable(Tensor value, bool requires_grad = false);

  bool defined() const { return state_ != nullptr; }
  const Tensor& value() const;
  const Shape& shape() const { return value().shape(); }
  bool requires_grad() const;
  /// Replaces a leaf's numbers, of the same shape, in place.
  void set_value(const Tensor& value);
  void set_requires_grad(bool requires_grad);

  /// The gradient accumulated by backward(); undefined before. Leaves only.
  Tensor grad() const;
  /// Forgets the gradient: the next backward() starts from nothing.
  void zero_grad();
  /// The same value without a history.
  Variable detach() const;
  /// The value for a later backward pass.
  Saved save() const;

  /// For functions/: the variable that `node` made. Without a node where no input requires a gradient. The node keeps
  /// of its inputs only their place in the graph; numbers live as long as a variable or what a backward closure saved.
  /// With `recompute`, save() hands that out instead of the numbers.
  static Variable from_op(Tensor value, const char* name, const std::vector<Variable>& inputs,
                          std::function<std::vector<Tensor>(const Tensor& dy)> backward, Recompute recompute = {});

 private:
  struct State;
  Variable without_value() const;
  friend void backward(const Variable& root, const Tensor& seed);
  std::shared_ptr<State> state_;
};

/// Sweeps from `root` to the leaves and adds each leaf's gradient to its grad(). The seed is d(loss)/d(root); undefined
/// means 1 and needs a root of one element. Iterative; the only place where gradients are added; checks the shape of
/// each gradient; frees what a node saved as soon as the node is done, so a graph can be swept once.
/// Throws Error for a root without a graph or one that was swept before.
void backward(const Variable& root, const Tensor& seed = {});

/// While one lives, ops of this thread record no graph.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool previous_;
};
/// False inside a NoGrad.
bool grad_enabled();

}  // namespace giza::autograd
