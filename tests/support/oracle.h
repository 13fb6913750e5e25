// Oracles: every op, forward and backward, as naive double-precision loops written from the op's definition alone.
// They are slow, share nothing with tensor/ but Shape, and are themselves held against central differences.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "tensor/shape.h"
#include "tensor/tensor.h"

namespace giza::oracle {

/// Doubles in row-major order; activations are [N,H,W,C], weights [K,R,S,C].
struct Array {
  Shape shape;
  std::vector<double> values;

  Array() = default;
  explicit Array(const Shape& s, double value = 0.0) : shape(s), values(static_cast<size_t>(s.numel()), value) {}
  /// The numbers of a float tensor; a float is a double exactly.
  explicit Array(const Tensor& tensor);

  bool defined() const { return !values.empty() || shape.rank() > 0; }
  int64_t size() const { return static_cast<int64_t>(values.size()); }
  double& operator[](int64_t i) { return values[static_cast<size_t>(i)]; }
  double operator[](int64_t i) const { return values[static_cast<size_t>(i)]; }
  int64_t index(int64_t n, int64_t y, int64_t x, int64_t c) const {
    return ((n * shape[1] + y) * shape[2] + x) * shape[3] + c;
  }
  double& at(int64_t n, int64_t y, int64_t x, int64_t c) { return (*this)[index(n, y, x, c)]; }
  double at(int64_t n, int64_t y, int64_t x, int64_t c) const { return (*this)[index(n, y, x, c)]; }
};

/// The array with `f` applied to each element.
Array map(const Array& a, const std::function<double(double)>& f);
/// Sum of a[i] * b[i].
double dot(const Array& a, const Array& b);
/// Euclidean length.
double norm(const Array& a);

struct Conv {
  int64_t stride = 1, padding = 0, dilation = 1;
};
/// y[n,p,q,k] = bias[k] + sum over r, s, c of x[n, p stride + r dilation - padding, ..., c] w[k,r,s,c]; bias may be
/// undefined.
Array conv2d(const Array& x, const Array& w, const Array& bias, const Conv& options);
Array conv2d_backward_input(const Array& dy, const Array& w, const Shape& x_shape, const Conv& options);
Array conv2d_backward_weight(const Array& x, const Array& dy, const Shape& w_shape, const Conv& options);

/// y[n, h stride + r dilation - padding, ..., k] = sum of x[n,h,..,c] w[c,r,s,k], for w [C,R,S,K] and y of y_shape.
Array conv_transpose2d(const Array& x, const Array& w, const Shape& y_shape, const Conv& options);
Array conv_transpose2d_backward_input(const Array& dy, const Array& w, const Shape& x_shape, const Conv& options);
Array conv_transpose2d_backward_weight(const Array& x, const Array& dy, const Shape& w_shape, const Conv& options);

/// x [N,C], w [K,C], bias [K] or undefined.
Array linear(const Array& x, const Array& w, const Array& bias);
Array linear_backward_input(const Array& dy, const Array& w);
Array linear_backward_weight(const Array& x, const Array& dy);

/// max(x, 0), NaN kept.
Array relu(const Array& x);
/// dy where y > 0.
Array relu_backward(const Array& dy, const Array& y);
Array add(const Array& a, const Array& b);
Array maximum(const Array& a, const Array& b);
/// Gradients of a and b: to the larger, to a of equals.
std::pair<Array, Array> maximum_backward(const Array& dy, const Array& a, const Array& b);
/// Sum over all axes but the last.
Array sum_rows(const Array& x);

struct Norm {
  double eps = 1e-5, momentum = 0.1;
  bool relu = false;
};
struct NormForward {
  Array y, mean, invstd, running_mean, running_var;
};
/// Training mode; the running statistics returned are the new ones. residual may be undefined.
NormForward batch_norm_train(const Array& x, const Array& gamma, const Array& beta, const Array& running_mean,
                             const Array& running_var, const Array& residual, const Norm& options);
Array batch_norm_eval(const Array& x, const Array& gamma, const Array& beta, const Array& running_mean,
                      const Array& running_var, const Array& residual, const Norm& options);
struct NormGradients {
  Array x, gamma, beta, residual;
};
/// Statistics are taken from x again; y gives the ReLU mask.
NormGradients batch_norm_train_backward(const Array& dy, const Array& x, const Array& y, const Array& gamma,
                                        const Norm& options);
NormGradients batch_norm_eval_backward(const Array& dy, const Array& x, const Array& y, const Array& gamma,
                                       const Array& running_mean, const Array& running_var, const Norm& options);

/// gain x / sqrt(1e-10 + sum over channels of x^2).
Array l2_normalize(const Array& x, const Array& gain);
/// Gradients of x and gain.
std::pair<Array, Array> l2_normalize_backward(const Array& dy, const Array& x, const Array& gain);

struct Pool {
  int64_t kernel = 3, stride = 2, padding = 1;
  bool ceil = false;
};
/// With `ceil`, windows as long as they begin on the picture or on the padding before it.
int64_t pool_size(int64_t in, const Pool& options);
Array max_pool2d(const Array& x, const Pool& options);
/// To the first maximum in row-major order.
Array max_pool2d_backward(const Array& dy, const Array& x, const Pool& options);
/// x [N,P,Q,C], each number at the first maximum of its window of the picture [N,H,W,C]; numbers that meet are added.
Array max_unpool2d(const Array& x, const Array& picture, const Pool& options);
/// dy [N,H,W,C] at those maxima.
Array max_unpool2d_backward(const Array& dy, const Array& picture, const Pool& options);
/// Sums of windows over kernel squared.
Array avg_pool2d(const Array& x, const Pool& options);
Array avg_pool2d_backward(const Array& dy, const Shape& x_shape, const Pool& options);
Array adaptive_avg_pool2d(const Array& x, int64_t bins);
Array adaptive_avg_pool2d_backward(const Array& dy, const Shape& x_shape);
Array adaptive_max_pool2d(const Array& x, int64_t bins);
Array adaptive_max_pool2d_backward(const Array& dy, const Array& x);

Array resize_bilinear(const Array& x, int64_t height, int64_t width, bool align_corners);
Array resize_bilinear_backward(const Array& dy, const Shape& x_shape, bool align_corners);

Array concat_channels(const std::vector<Array>& parts);
/// Channels [begin, end): the gradient of one part.
Array channel_slice(const Array& x, int64_t begin, int64_t end);

/// Over the last axis.
Array softmax(const Array& x);
Array softmax_backward(const Array& dy, const Array& y);

struct CrossEntropy {
  int32_t ignore_label = 255;
  Array class_weights;  ///< undefined: all 1
};
struct CrossEntropyForward {
  double loss = 0, weight = 0;
  Array lse;
};
CrossEntropyForward cross_entropy(const Array& logits, const Labels& labels, const CrossEntropy& options);
Array cross_entropy_backward(double dloss, const Array& logits, const Labels& labels, const CrossEntropy& options);
/// First largest of each row; a NaN counts as largest.
Labels argmax(const Array& x);

/// [N,H,W,C] -> [N, C H W].
Array flatten(const Array& x);

/// x [N,H,W,C] * mask [N,1,1,C].
Array dropout2d(const Array& x, const Array& mask);

}  // namespace giza::oracle
