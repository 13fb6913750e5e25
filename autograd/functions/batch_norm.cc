// Differentiable batch normalisation.
#include "tensor/ops/batch_norm.h"

#include "autograd/functions/functions.h"

namespace giza::autograd {
namespace {

std::vector<Variable> gather_inputs(const Variable& x, const Variable& gamma, const Variable& beta,
                                    const Variable& residual) {
  std::vector<Variable> inputs = {x, gamma, beta};
  if (residual.defined()) inputs.push_back(residual);
  return inputs;
}

// Gradients in the order of gather_inputs. Without ReLU the residual's gradient is dy itself, not a copy.
std::vector<Tensor> arrange(const ops::BatchNormGradients& gradients, const Tensor& dy, bool has_residual) {
  std::vector<Tensor> list = {gradients.x, gradients.gamma, gradients.beta};
  if (has_residual) list.push_back(gradients.residual.defined() ? gradients.residual : dy);
  return list;
}

}  // namespace

Variable batch_norm_train(const Variable& x, const Variable& gamma, const Variable& beta, const Tensor& running_mean,
                          const Tensor& running_var, const Variable& residual, const ops::BatchNormOptions& options,
                          const ops::ChannelMoments* moments) {
  const bool has_residual = residual.defined();
  ops::BatchNormResult result = ops::batch_norm_train(x.value(), gamma.value(), beta.value(), running_mean, running_var,
                                                      has_residual ? residual.value() : Tensor(), options, moments);
  // Without a residual the output is one multiply-add away from x, which is kept anyway: whoever reads it in the
  // backward pass makes it again, and so is the ReLU mask. With one the mask is read off the output.
  const bool again = !has_residual;
  const Tensor y_for_mask = options.relu && !again ? result.y : Tensor();
  const Tensor affine = again ? result.affine : Tensor();
  Recompute recompute;
  if (again) recompute = [=, x = x.value()] { return ops::batch_norm_again(x, affine, options.relu); };
  return Variable::from_op(
      result.y, "batch_norm", gather_inputs(x, gamma, beta, residual),
      [=, x = x.value(), gamma = gamma.value(), mean = result.mean, invstd = result.invstd](const Tensor& dy) {
        ops::BatchNormOptions going_back = options;
        // Without ReLU the residual's gradient is dy itself, which then has to stay.
        going_back.overwrite_dy = dy.unique() && (options.relu || !has_residual);
        return arrange(ops::batch_norm_train_backward(dy, x, y_for_mask, gamma, mean, invstd,
                                                      has_residual && options.relu, going_back, affine),
                       dy, has_residual);
      },
      std::move(recompute));
}

Variable batch_norm_eval(const Variable& x, const Variable& gamma, const Variable& beta, const Tensor& running_mean,
                         const Tensor& running_var, const Variable& residual, const ops::BatchNormOptions& options) {
  const bool has_residual = residual.defined();
  Tensor y = ops::batch_norm_eval(x.value(), gamma.value(), beta.value(), running_mean, running_var,
                                  has_residual ? residual.value() : Tensor(), options);
  const Tensor y_for_mask = options.relu ? y : Tensor();
  return Variable::from_op(std::move(y), "batch_norm", gather_inputs(x, gamma, beta, residual),
                           [=, x = x.value(), gamma = gamma.value()](const Tensor& dy) {
                             return arrange(
                                 ops::batch_norm_eval_backward(dy, x, y_for_mask, gamma, running_mean, running_var,
                                                               has_residual && options.relu, options),
                                 dy, has_residual);
                           });
}

}  // namespace giza::autograd
