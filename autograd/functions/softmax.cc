// Differentiable softmax and cross-entropy, fused with enlargement too.
#include "tensor/ops/softmax.h"

#include "autograd/functions/functions.h"
#include "tensor/ops/upsample_loss.h"

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

UpsampledLoss upsample_cross_entropy(const Variable& logits, const Labels& labels, bool align_corners,
                                     const ops::CrossEntropyOptions& options) {
  const ops::UpsampleCrossEntropyResult forward =
      ops::upsample_cross_entropy(logits.value(), labels, align_corners, options);
  Variable loss = Variable::from_op(forward.loss.loss, "upsample_cross_entropy", {logits},
                                    [=, logits = logits.value(), forward = forward.loss](const Tensor& dy) {
                                      return std::vector<Tensor>{ops::upsample_cross_entropy_backward(
                                          dy.item(), logits, labels, forward, align_corners, options)};
                                    });
  return {std::move(loss), forward.valid, forward.right};
}

}  // namespace giza::autograd
