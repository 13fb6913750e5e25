// Differentiable softmax and cross-entropy.
#include "tensor/ops/softmax.h"

#include "autograd/functions/functions.h"

namespace giza::autograd {

Variable softmax(const Variable& x) {
  Tensor y = ops::softmax(x.value());
  return Variable::from_op(y, "softmax", {x},
                           [y](const Tensor& dy) -> std::vector<Tensor> { return {ops::softmax_backward(dy, y)}; });
}

Variable cross_entropy(const Variable& logits, const Labels& labels, const ops::CrossEntropyOptions& options) {
  const ops::CrossEntropyResult forward = ops::cross_entropy(logits.value(), labels, options);
  return Variable::from_op(forward.loss, "cross_entropy", {logits},
                           [=, logits = logits.value()](const Tensor& dy) -> std::vector<Tensor> {
                             return {ops::cross_entropy_backward(dy.item(), logits, labels, forward, options)};
                           });
}

}  // namespace giza::autograd
