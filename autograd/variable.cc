// The graph, and the sweep over it.
#include "autograd/variable.h"

#include <atomic>
#include <map>
#include <utility>

#include "autograd/watching.h"
#include "tensor/base/check.h"
#include "tensor/ops/batch_share.h"
#include "tensor/ops/elementwise.h"
#include "tensor/profile/profile.h"

namespace giza::autograd {
namespace {

thread_local bool recording = true;

uint64_t next_order() {
  static std::atomic<uint64_t> order = 0;
  return ++order;
}

}  // namespace

struct Variable::State {
  Tensor value;  // undefined in what a node keeps of an input
  Shape shape;
  Tensor grad;
  bool requires_grad = false;
  std::shared_ptr<Node> node;  // null for a leaf
  std::shared_ptr<const Recompute> recompute;

  State(Tensor v, bool needs) : value(std::move(v)), shape(value.shape()), requires_grad(needs) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // A long graph that is never swept would otherwise be destroyed by recursion, one stack frame per node.
  ~State() {
    std::vector<std::shared_ptr<Node>> pending;
    if (node) pending.push_back(std::move(node));
    while (!pending.empty()) {
      const std::shared_ptr<Node> last = std::move(pending.back());
      pending.pop_back();
      if (last.use_count() > 1) continue;
      last->backward = nullptr;
      for (Variable& each : last->inputs) {
        const Variable input = std::move(each);  // one by one: of add(y, y) the second is the last handle on y
        if (input.state_ && input.state_.use_count() == 1 && input.state_->node) {
          pending.push_back(std::move(input.state_->node));
        }
      }
    }
  }
};

Variable::Variable(Tensor value, bool requires_grad)
    : state_(std::make_shared<State>(std::move(value), requires_grad)) {}

const Tensor& Variable::value() const {
  check<Error>(defined(), "variable: undefined");
  return state_->value;
}

bool Variable::requires_grad() const { return state_ && state_->requires_grad; }

void Variable::set_value(const Tensor& value) { this->value().copy_from(value); }

void Variable::set_requires_grad(bool requires_grad) {
  check<Error>(defined() && !state_->node, "set_requires_grad: not a leaf");
  state_->requires_grad = requires_grad;
}

Tensor Variable::grad() const { return state_ ? state_->grad : Tensor(); }

void Variable::zero_grad() {
  if (state_) state_->grad = Tensor();
}

Variable Variable::detach() const { return Variable(value()); }

Saved Variable::save() const { return state_->recompute ? Saved(state_->recompute) : Saved(value()); }

// A leaf gathers its gradient, so it stays itself; one without a gradient is not needed at all.
Variable Variable::without_value() const {
  if (!requires_grad()) return {};
  if (!state_->node) return *this;
  Variable edge{Tensor(), true};
  edge.state_->shape = state_->shape;
  edge.state_->node = state_->node;
  return edge;
}

Variable Variable::from_op(Tensor value, const char* name, const std::vector<Variable>& inputs,
                           std::function<std::vector<Tensor>(const Tensor& dy)> backward, Recompute recompute) {
  if (watched()) show({.op = name, .layer = profile::current_layer(), .input = -1, .value = value});
  Variable result(std::move(value));
  bool needed = false;
  for (const Variable& input : inputs) needed = needed || input.requires_grad();
  if (!recording || !needed) return result;
  auto node = std::make_shared<Node>();
  node->name = name;
  node->layer = profile::current_layer();
  node->order = next_order();
  for (const Variable& input : inputs) node->inputs.push_back(input.without_value());
  node->backward = std::move(backward);
  result.state_->requires_grad = true;
  result.state_->node = std::move(node);
  if (recompute) result.state_->recompute = std::make_shared<const Recompute>(std::move(recompute));
  return result;
}

void backward(const Variable& root, const Tensor& seed) {
  check<Error>(root.defined() && root.state_->node,
               "backward: the variable has no graph (no input requires a gradient)");
  Tensor first = seed;
  if (!first.defined()) {
    check(root.value().numel() == 1, "backward: a seed is needed for a root of shape {}", root.shape());
    first = Tensor::full(root.shape(), 1.0F);
  }
  check(first.shape() == root.shape(), "backward: seed {} for a root of shape {}", first.shape(), root.shape());

  // Inputs are always older than what was made of them, so taking the youngest node first is a topological order.
  struct Pending {
    std::shared_ptr<Node> node;
    Tensor gradient;
  };
  std::map<uint64_t, Pending, std::greater<>> pending;
  // In place where nobody else holds the sum: an op may return one tensor as the gradient of several inputs, and
  // whoever asked for a leaf's gradient keeps what he got.
  const auto accumulate = [](Tensor& sum, Tensor gradient) {
    if (!sum.defined()) {
      sum = std::move(gradient);
      return;
    }
    const profile::Scope scope([&] {
      profile::Work work = profile::elementwise("accumulate", 1, sum, gradient, sum);
      work.leaf = true;
      return work;
    });
    if (sum.unique()) {
      ops::add_into(sum, gradient);
    } else {
      sum = ops::add(sum, gradient);
    }
  };
  pending[root.state_->node->order] = {root.state_->node, std::move(first)};
  while (!pending.empty()) {
    Pending current = std::move(pending.begin()->second);
    pending.erase(pending.begin());
    Node& node = *current.node;
    const profile::Layer layer(node.layer, profile::Pass::backward);
    check<Error>(static_cast<bool>(node.backward), "backward: {} was swept before; its saved tensors are freed",
                 node.name);
    // Taken out of the node, so that what it saved is freed when this iteration ends.
    const auto function = std::exchange(node.backward, nullptr);
    const std::vector<Variable> inputs = std::exchange(node.inputs, {});
    std::vector<Tensor> gradients = function(current.gradient);
    current.gradient = Tensor();
    check<Error>(gradients.size() == inputs.size(), "backward: {} gave {} gradients for {} inputs", node.name,
                 gradients.size(), inputs.size());
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!inputs[i].requires_grad()) continue;
      Variable::State& input = *inputs[i].state_;
      check<Error>(gradients[i].defined() && gradients[i].shape() == input.shape,
                   "backward: {} gave input {} of shape {} a gradient of shape {}", node.name, i, input.shape,
                   gradients[i].shape());
      if (watched()) show({.op = node.name, .layer = node.layer, .input = static_cast<int>(i), .value = gradients[i]});
      if (input.node) {
        Pending& next = pending[input.node->order];
        next.node = input.node;
        accumulate(next.gradient, std::move(gradients[i]));
      } else {
        if (input.grad.defined()) ops::finish_gradients();  // those of shared batches, which are to be read now
        accumulate(input.grad, std::move(gradients[i]));
      }
    }
  }
}

NoGrad::NoGrad() : previous_(std::exchange(recording, false)) {}
NoGrad::~NoGrad() { recording = previous_; }
bool grad_enabled() { return recording; }

}  // namespace giza::autograd
