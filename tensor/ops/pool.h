// Pooling in NHWC.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace giza::ops {

struct Pool2dOptions {
  int64_t kernel = 3;
  int64_t stride = 2;
  int64_t padding = 1;  ///< at most kernel / 2, as in PyTorch
};

/// x [N,H,W,C] -> [N,P,Q,C], P = floor((H + 2 padding - kernel) / stride) + 1. Padding never wins; NaN does.
Tensor max_pool2d(const Tensor& x, const Pool2dOptions& options);
/// The gradient goes to the first maximum of each window in row-major order (PyTorch's rule), found again from x.
Tensor max_pool2d_backward(const Tensor& dy, const Tensor& x, const Pool2dOptions& options);

/// Adaptive pooling to bins x bins as in PyTorch: cell i covers rows floor(i H / bins) to ceil((i + 1) H / bins).
/// bins may exceed H or W: cells then overlap. x [N,H,W,C] -> [N,bins,bins,C].
Tensor adaptive_avg_pool2d(const Tensor& x, int64_t bins);
Tensor adaptive_avg_pool2d_backward(const Tensor& dy, const Shape& x_shape);

/// adaptive_avg_pool2d to several sizes, in one pass over x [N,H,W,C] -> the cells of all sizes [sum of N b b, C], size
/// after size in the order of `bins`. Each size's means differ from those of the op for one by the order of double sums.
Tensor pyramid_avg_pool2d(const Tensor& x, std::span<const int64_t> bins);
/// dy [sum of N b b, C] -> dx: the sum of the gradients by all sizes, in one pass.
Tensor pyramid_avg_pool2d_backward(const Tensor& dy, const Shape& x_shape, std::span<const int64_t> bins);
/// Where each size lies in the result of pyramid_avg_pool2d: rows [begin, end) are `shape` = [N,b,b,C].
struct PyramidRows {
  int64_t begin, end;
  Shape shape;
};
std::vector<PyramidRows> pyramid_rows(int64_t batch, int64_t channels, std::span<const int64_t> bins);

Tensor adaptive_max_pool2d(const Tensor& x, int64_t bins);
/// The gradient goes to the first maximum of each cell in row-major order.
Tensor adaptive_max_pool2d_backward(const Tensor& dy, const Tensor& x);

}  // namespace giza::ops
