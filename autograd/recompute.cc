// Recomputation in the backward pass.
#include "autograd/recompute.h"

namespace giza::autograd {

Variable recompute(const Variable& x, const std::function<Variable(const Variable& x, bool again)>& body) {
  if (!grad_enabled() || !x.requires_grad()) return body(x, false);
  Tensor y;
  {
    const NoGrad no_grad;
    y = body(x, false).value();
  }
  return Variable::from_op(std::move(y), "checkpoint", {x},
                           [x = x.save(), body](const Tensor& dy) -> std::vector<Tensor> {
                             const Variable input(x.tensor(), /*requires_grad=*/true);
                             backward(body(input, true), dy);
                             return {input.grad()};
                           });
}

}  // namespace giza::autograd
