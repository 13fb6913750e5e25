// Softmax over channels, and softmax cross-entropy.
#pragma once

#include "tensor/tensor.h"

namespace giza::ops {

/// Softmax over the last axis of any shape; the row's maximum is subtracted first.
Tensor softmax(const Tensor& x);
/// The same into rows that are there, of the same shape; y may be x.
void softmax_into(const Tensor& x, const Tensor& y);
Tensor softmax_backward(const Tensor& dy, const Tensor& y);

struct CrossEntropyOptions {
  int32_t ignore_label = 255;
  Tensor class_weights;  ///< [C] or undefined; the mean is then weighted, as in PyTorch
};

struct CrossEntropyResult {
  Tensor loss;        ///< [1]: sum of w[label] * -log softmax(x)[label] over valid pixels / sum of w[label]; 0 if none
  Tensor lse;         ///< [N,H,W,1]: max + log sum exp of each pixel, for the backward pass
  double weight = 0;  ///< the divisor: number (or summed class weight) of the valid pixels
};

/// logits [N,H,W,C]; labels N,H,W with values in [0, C) or ignore_label. Loss in double, in a fixed tree.
/// Throws ShapeError for a misfit, and for any other label value with its place (n, y, x).
CrossEntropyResult cross_entropy(const Tensor& logits, const Labels& labels, const CrossEntropyOptions& options);
/// dlogits = dloss * w[label] / weight * (softmax - onehot); zero at ignored pixels and when weight is 0.
/// dloss is the value of the scalar gradient.
Tensor cross_entropy_backward(float dloss, const Tensor& logits, const Labels& labels,
                              const CrossEntropyResult& forward, const CrossEntropyOptions& options);

/// Index of the first largest value of each row: [N,H,W,C] -> labels N,H,W. A NaN counts as largest, as in PyTorch.
Labels argmax(const Tensor& x);

/// y = log of p, clipped to [lowest, 1] first, of the same shape. 0 < lowest <= 1.
void log_probabilities_into(const Tensor& p, float lowest, const Tensor& y);

}  // namespace giza::ops
