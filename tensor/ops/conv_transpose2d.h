// Transposed convolution ("deconvolution"): a convolution's pass from output to input, as a layer of its own.
#pragma once

#include "tensor/ops/conv2d.h"

namespace giza::ops {

struct ConvTranspose2dOptions {
  int64_t stride = 2;
  int64_t padding = 0;         ///< taken off every side of the result
  int64_t output_padding = 0;  ///< added at bottom and right; below the stride, as in PyTorch
  int64_t dilation = 1;
  ConvEngine engine = {};
};
/// Output size along one axis: (in - 1) stride - 2 padding + dilation (kernel - 1) + 1 + output_padding. Throws
/// ShapeError if it would be below one.
int64_t conv_transpose_output_size(int64_t in, int64_t kernel, const ConvTranspose2dOptions& options);

/// x [N,H,W,C], w [C,R,S,K] -> [N,P,Q,K]. w is PyTorch's [C,K,R,S] with its axes in giza's order, and that of the
/// convolution whose backward pass this is.
Tensor conv_transpose2d(const Tensor& x, const Tensor& w, const ConvTranspose2dOptions& options);
/// dy [N,P,Q,K] -> dx [N,H,W,C]: that convolution.
Tensor conv_transpose2d_backward_input(const Tensor& dy, const Tensor& w, const ConvTranspose2dOptions& options);
/// -> dw of shape w_shape = [C,R,S,K].
Tensor conv_transpose2d_backward_weight(const Tensor& x, const Tensor& dy, const Shape& w_shape,
                                        const ConvTranspose2dOptions& options);

}  // namespace giza::ops
