// Differentiable ops. Each is defined in its own .cc with the backward closure under the forward call.
#pragma once

#include <span>

#include "autograd/variable.h"
#include "tensor/ops/batch_norm.h"
#include "tensor/ops/conv2d.h"
#include "tensor/ops/conv_transpose2d.h"
#include "tensor/ops/pool.h"
#include "tensor/ops/softmax.h"
#include "tensor/random.h"

namespace giza::autograd {

/// Shapes and errors of each as in the op of the same name below tensor/ops/.
Variable conv2d(const Variable& x, const Variable& w, const Variable& bias, const Conv2dOptions& options = {},
                ops::ChannelMoments* moments = nullptr);
Variable conv_transpose2d(const Variable& x, const Variable& w, const ops::ConvTranspose2dOptions& options = {});
/// conv2d of x and the maps, each upsampled to x's size and concatenated with it; neither is made.
Variable pyramid_conv(const Variable& x, std::span<const Variable> maps, const Variable& w,
                      const Conv2dOptions& options = {}, ops::ChannelMoments* moments = nullptr);
/// Training mode: batch statistics; running_mean and running_var are updated in place. residual may be undefined.
Variable batch_norm_train(const Variable& x, const Variable& gamma, const Variable& beta, const Tensor& running_mean,
                          const Tensor& running_var, const Variable& residual, const ops::BatchNormOptions& options,
                          const ops::ChannelMoments* moments = nullptr);
Variable batch_norm_eval(const Variable& x, const Variable& gamma, const Variable& beta, const Tensor& running_mean,
                         const Tensor& running_var, const Variable& residual, const ops::BatchNormOptions& options);
Variable l2_normalize(const Variable& x, const Variable& gain);
Variable relu(const Variable& x);
/// x itself. What uses it adds up its gradients before they join those of other uses of x: the order of that sum, hence
/// its bits, is then the same whether what lies behind is swept with the rest or for itself, as a checkpoint does.
Variable branch(const Variable& x);
Variable add(const Variable& a, const Variable& b);
Variable maximum(const Variable& a, const Variable& b);
Variable scale(const Variable& x, float factor);
Variable max_pool2d(const Variable& x, const ops::Pool2dOptions& options);
/// max_pool2d with where each maximum was, for max_unpool2d.
struct MaxPooled {
  Variable y;
  Tensor positions;
};
MaxPooled max_pool2d_with_positions(const Variable& x, const ops::Pool2dOptions& options);
Variable max_unpool2d(const Variable& x, const Tensor& positions, int64_t height, int64_t width,
                      const ops::Pool2dOptions& options);
Variable avg_pool2d(const Variable& x, const ops::Pool2dOptions& options);
Variable adaptive_avg_pool2d(const Variable& x, int64_t bins);
/// adaptive_avg_pool2d to several sizes in one pass: one map per size.
std::vector<Variable> pyramid_avg_pool2d(const Variable& x, std::span<const int64_t> bins);
Variable adaptive_max_pool2d(const Variable& x, int64_t bins);
Variable resize_bilinear(const Variable& x, int64_t height, int64_t width, bool align_corners);
Variable crop2d(const Variable& x, int64_t top, int64_t left, int64_t height, int64_t width);
Variable mirror_pad2d(const Variable& x, int64_t border);
Variable concat_channels(std::span<const Variable> parts);
Variable max_channels(const Variable& x);
Variable softmax(const Variable& x);
/// -> loss [1]
Variable cross_entropy(const Variable& logits, const Labels& labels, const ops::CrossEntropyOptions& options = {});
/// cross_entropy of the logits enlarged to the labels' size, which are never made.
struct UpsampledLoss {
  Variable loss;                 ///< [1]
  int64_t valid = 0, right = 0;  ///< pixels that are not ignored, and those whose argmax is their label
};
UpsampledLoss upsample_cross_entropy(const Variable& logits, const Labels& labels, bool align_corners,
                                     const ops::CrossEntropyOptions& options = {});
/// Of single elements.
Variable dropout(const Variable& x, float p, const Random& random);
Variable flatten(const Variable& x);
Variable dropout2d(const Variable& x, float p, const Random& random);
Variable linear(const Variable& x, const Variable& w, const Variable& bias);

}  // namespace giza::autograd
