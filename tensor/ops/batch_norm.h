// Batch normalisation over the pixels of each channel (Ioffe & Szegedy, 2015), with residual sum and ReLU in one pass.
#pragma once

#include "tensor/ops/channel_moments.h"
#include "tensor/tensor.h"

namespace giza::ops {

struct BatchNormOptions {
  double eps = 1e-5;
  double momentum = 0.1;
  bool relu = false;  ///< y = max(0, ...) in the same pass
  /// Training mode: update the running statistics. False where a forward pass is repeated for the backward pass.
  bool update_running = true;
  /// Backward in training mode: nobody reads dy any more, so the gradient of the residual, or else that of x, may take
  /// its place.
  bool overwrite_dy = false;
};

/// What the forward pass in training mode leaves for the backward pass.
struct BatchNormResult {
  Tensor y;       ///< [N,H,W,C]
  Tensor mean;    ///< [C] of this batch
  Tensor invstd;  ///< [C], 1 / sqrt(biased variance + eps)
  Tensor affine;  ///< [3,C]: center, scale, offset of y = (x - center) scale + offset (+ residual)
};

/// Training mode. x [N,H,W,C]; gamma, beta, running_mean, running_var [C]; residual like x or undefined.
/// y = gamma (x - mean) invstd + beta (+ residual), then ReLU if asked. Statistics are summed in double in a fixed
/// tree. running = (1 - momentum) running + momentum batch, with the unbiased variance; both are updated in place.
/// Throws ShapeError for a misfit, and for a single value per channel, whose variance says nothing: the message says to
/// use a larger batch or crop, or evaluation mode. N = 0 (no value at all) is also refused. moments, if given and
/// ready, are those of x: a convolution gathered them on the way, and x is not read for them.
BatchNormResult batch_norm_train(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& running_mean,
                                 const Tensor& running_var, const Tensor& residual, const BatchNormOptions& options,
                                 const ChannelMoments* moments = nullptr);

/// y of a batch_norm_train without residual once more, from its x and affine: the same bits.
Tensor batch_norm_again(const Tensor& x, const Tensor& affine, bool relu);

/// Evaluation mode: y = gamma (x - running_mean) / sqrt(running_var + eps) + beta (+ residual), then ReLU if asked.
Tensor batch_norm_eval(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& running_mean,
                       const Tensor& running_var, const Tensor& residual, const BatchNormOptions& options);

struct BatchNormGradients {
  Tensor x;         ///< like x
  Tensor gamma;     ///< [C]
  Tensor beta;      ///< [C]
  Tensor residual;  ///< like x, undefined without residual; without ReLU the caller may use dy itself instead
};

/// Backward of batch_norm_train. x, mean, invstd, gamma as in the forward pass. With ReLU its mask is read off y, or
/// without a residual made again from `affine`; one of them must be given. need_residual: also give the gradient of the
/// residual (dy where y > 0).
BatchNormGradients batch_norm_train_backward(const Tensor& dy, const Tensor& x, const Tensor& y, const Tensor& gamma,
                                             const Tensor& mean, const Tensor& invstd, bool need_residual,
                                             const BatchNormOptions& options, const Tensor& affine = {});

/// Backward of batch_norm_eval, where the statistics are constants.
BatchNormGradients batch_norm_eval_backward(const Tensor& dy, const Tensor& x, const Tensor& y, const Tensor& gamma,
                                            const Tensor& running_mean, const Tensor& running_var, bool need_residual,
                                            const BatchNormOptions& options);

}  // namespace giza::ops
