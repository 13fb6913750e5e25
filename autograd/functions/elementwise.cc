// Differentiable ReLU, sum, scaling and dropout.
#include "tensor/ops/elementwise.h"

#include "autograd/functions/functions.h"
#include "autograd/listener.h"
#include "tensor/ops/dropout.h"
#include "tensor/ops/l2_normalize.h"

namespace giza::autograd {

Variable relu(const Variable& x) {
  const Tensor y = ops::relu(x.value());
  if (heard()) announce({.name = "relu", .inputs = {x.value()}, .output = y});
  return Variable::from_op(y, "relu", {x},
                           [y](const Tensor& dy) -> std::vector<Tensor> { return {ops::relu_backward(dy, y)}; });
}

Variable l2_normalize(const Variable& x, const Variable& gain) {
  const Tensor y = ops::l2_normalize(x.value(), gain.value());
  if (heard()) announce({.name = "l2_normalize", .inputs = {x.value(), gain.value()}, .output = y});
  return Variable::from_op(
      y, "l2_normalize", {x, gain}, [x = x.save(), gain = gain.value()](const Tensor& dy) -> std::vector<Tensor> {
        const ops::L2NormalizeGradients gradients = ops::l2_normalize_backward(dy, x.tensor(), gain);
        return {gradients.x, gradients.gain};
      });
}

Variable branch(const Variable& x) {
  return Variable::from_op(x.value(), "branch", {x}, [](const Tensor& dy) -> std::vector<Tensor> { return {dy}; });
}

Variable add(const Variable& a, const Variable& b) {
  const Tensor y = ops::add(a.value(), b.value());
  if (heard()) announce({.name = "add", .inputs = {a.value(), b.value()}, .output = y});
  return Variable::from_op(y, "add", {a, b}, [](const Tensor& dy) -> std::vector<Tensor> { return {dy, dy}; });
}

Variable maximum(const Variable& a, const Variable& b) {
  const Tensor y = ops::maximum(a.value(), b.value());
  if (heard()) announce({.name = "maximum", .inputs = {a.value(), b.value()}, .output = y});
  return Variable::from_op(y, "maximum", {a, b}, [a = a.save(), b = b.save()](const Tensor& dy) -> std::vector<Tensor> {
    const ops::MaximumGradients gradients = ops::maximum_backward(dy, a.tensor(), b.tensor());
    return {gradients.a, gradients.b};
  });
}

Variable scale(const Variable& x, float factor) {
  const Tensor y = ops::scale(x.value(), factor);
  if (heard()) announce({.name = "scale", .inputs = {x.value()}, .output = y, .factor = factor});
  return Variable::from_op(y, "scale", {x},
                           [factor](const Tensor& dy) -> std::vector<Tensor> { return {ops::scale(dy, factor)}; });
}

Variable dropout(const Variable& x, float p, const Random& random) {
  if (p == 0.0F) return x;
  // The mask is drawn again going back: no memory for it.
  return Variable::from_op(
      ops::dropout(x.value(), p, random), "dropout", {x},
      [p, random](const Tensor& dy) -> std::vector<Tensor> { return {ops::dropout(dy, p, random)}; },
      [x = x.save(), p, random] { return ops::dropout(x.tensor(), p, random); });
}

Variable dropout2d(const Variable& x, float p, const Random& random) {
  if (p == 0.0F) return x;
  const Tensor mask = ops::dropout2d_mask(x.value().dim(0), x.value().channels(), p, random);
  return Variable::from_op(
      ops::dropout2d(x.value(), mask), "dropout2d", {x},
      [mask](const Tensor& dy) -> std::vector<Tensor> { return {ops::dropout2d(dy, mask)}; },
      [x = x.save(), mask] { return ops::dropout2d(x.tensor(), mask); });
}

}  // namespace giza::autograd
