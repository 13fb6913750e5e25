// Differentiable convolution and linear layer.
#include "tensor/ops/conv2d.h"

#include "autograd/functions/functions.h"
#include "autograd/listener.h"
#include "tensor/ops/batch_share.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/linear.h"

namespace giza::autograd {

Variable conv2d(const Variable& x, const Variable& w, const Variable& bias, const Conv2dOptions& options,
                ops::ChannelMoments* moments) {
  Tensor y = ops::conv2d_fused(x.value(), w.value(),
                               {.bias = bias.defined() ? bias.value() : Tensor(), .moments = moments}, options);
  // A layer tells of itself, with what it folds in; this is a convolution by fixed numbers.
  if (heard()) announce({.name = "conv2d", .inputs = {x.value(), w.value()}, .output = y, .options = options});
  std::vector<Variable> inputs = {x, w};
  if (bias.defined()) inputs.push_back(bias);
  // x is kept for dw, w for dx, and neither where nobody asks for that gradient.
  const Shape x_shape = x.shape(), w_shape = w.shape();
  const Saved saved_x = w.requires_grad() ? x.save() : Saved();
  const Tensor saved_w = x.requires_grad() ? w.value() : Tensor();
  const bool need_bias = bias.requires_grad();
  const bool has_bias = bias.defined();
  return Variable::from_op(std::move(y), "conv2d", inputs, [=](const Tensor& dy) -> std::vector<Tensor> {
    std::vector<Tensor> gradients(has_bias ? 3 : 2);
    if (saved_w.defined()) {
      gradients[0] = ops::conv2d_backward_input(dy, saved_w, x_shape, options);
    }
    if (saved_x.defined()) {
      gradients[1] = ops::shared_gradient(dy.dim(0), [&, x = saved_x.tensor()](int64_t begin, int64_t end) {
        return ops::conv2d_backward_weight(x.batch_slice(begin, end), dy.batch_slice(begin, end), w_shape, options);
      });
    }
    if (need_bias) gradients[2] = ops::sum_rows(dy);
    return gradients;
  });
}

Variable conv_transpose2d(const Variable& x, const Variable& w, const ops::ConvTranspose2dOptions& options) {
  const Tensor y = ops::conv_transpose2d(x.value(), w.value(), options);
  if (heard())
    announce({.name = "conv_transpose2d", .inputs = {x.value(), w.value()}, .output = y, .options = options});
  const Saved kept_x = w.requires_grad() ? x.save() : Saved();
  const Tensor kept_w = x.requires_grad() ? w.value() : Tensor();
  return Variable::from_op(
      y, "conv_transpose2d", {x, w}, [=, w_shape = w.shape()](const Tensor& dy) -> std::vector<Tensor> {
        std::vector<Tensor> gradients(2);
        if (kept_w.defined()) {
          gradients[0] = ops::conv_transpose2d_backward_input(dy, kept_w, options);
        }
        if (kept_x.defined()) {
          gradients[1] = ops::shared_gradient(dy.dim(0), [&, x = kept_x.tensor()](int64_t begin, int64_t end) {
            return ops::conv_transpose2d_backward_weight(x.batch_slice(begin, end), dy.batch_slice(begin, end), w_shape,
                                                         options);
          });
        }
        return gradients;
      });
}

Variable linear(const Variable& x, const Variable& w, const Variable& bias) {
  Tensor y = ops::linear(x.value(), w.value(), bias.defined() ? bias.value() : Tensor());
  std::vector<Variable> inputs = {x, w};
  if (bias.defined()) inputs.push_back(bias);
  const bool has_bias = bias.defined();
  return Variable::from_op(
      std::move(y), "linear", inputs,
      [has_bias, x = x.value(), w = w.value()](const Tensor& dy) -> std::vector<Tensor> {
        std::vector<Tensor> gradients = {
            ops::linear_backward_input(dy, w), ops::shared_gradient(dy.dim(0), [&](int64_t begin, int64_t end) {
              return ops::linear_backward_weight(x.batch_slice(begin, end), dy.batch_slice(begin, end));
            })};
        if (has_bias) gradients.push_back(ops::sum_rows(dy));
        return gradients;
      });
}

}  // namespace giza::autograd
