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
  bool ceil = false;    ///< rounds sizes up: a last window may stand out, but must begin inside (Caffe, ceil_mode)
};
/// Output size along one axis: floor((in + 2 padding - kernel) / stride) + 1, or with ceil, as far as the last window
/// begins before in + padding. Throws ShapeError if it would be below one.
int64_t pool_output_size(int64_t in, const Pool2dOptions& options);

/// x [N,H,W,C] -> [N,P,Q,C]. Padding never wins; NaN does.
Tensor max_pool2d(const Tensor& x, const Pool2dOptions& options);
/// The gradient goes to the first maximum of each window in row-major order (PyTorch's rule), found again from x.
Tensor max_pool2d_backward(const Tensor& dy, const Tensor& x, const Pool2dOptions& options);

/// With where each maximum was: positions [N,P,Q,C] hold h * W + w as the bits of an int32.
struct MaxPool2d {
  Tensor y, positions;
};
MaxPool2d max_pool2d_with_positions(const Tensor& x, const Pool2dOptions& options);
/// x [N,P,Q,C] -> [N,H,W,C]: each number goes to where its position says, 0 elsewhere (Badrinarayanan et al., SegNet,
/// section 3). Numbers that meet, as they can where windows overlap, are added; so this is also the gradient of
/// max_pool2d_with_positions, whose options are given. Throws ShapeError unless those make [P,Q] of [H,W].
Tensor max_unpool2d(const Tensor& x, const Tensor& positions, int64_t height, int64_t width,
                    const Pool2dOptions& options);
/// dy [N,H,W,C] -> [N,P,Q,C]: the numbers at the positions.
Tensor max_unpool2d_backward(const Tensor& dy, const Tensor& positions, const Pool2dOptions& options);

/// The mean of each window, padding counted as zeros (Caffe, and PyTorch's count_include_pad). x [N,H,W,C] ->
/// [N,P,Q,C]. Sizes are rounded down.
Tensor avg_pool2d(const Tensor& x, const Pool2dOptions& options);
Tensor avg_pool2d_backward(const Tensor& dy, const Shape& x_shape, const Pool2dOptions& options);

/// Adaptive pooling to bins x bins as in PyTorch: cell i covers rows floor(i H / bins) to ceil((i + 1) H / bins).
/// bins may exceed H or W: cells then overlap. x [N,H,W,C] -> [N,bins,bins,C].
Tensor adaptive_avg_pool2d(const Tensor& x, int64_t bins);
Tensor adaptive_avg_pool2d_backward(const Tensor& dy, const Shape& x_shape);

/// adaptive_avg_pool2d to several sizes, in one pass over x [N,H,W,C] -> the cells of all sizes [sum of N b b, C], size
/// after size in the order of `bins`. Each size's means differ from those of the op for one by the order of double
/// sums.
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
