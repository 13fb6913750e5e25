// The native convolution backend: direct products or Winograd's, as the plan says.
#pragma once

#include <variant>

#include "tensor/ops/conv/direct.h"
#include "tensor/ops/conv/winograd.h"
#include "tensor/ops/conv2d.h"

namespace giza::ops {

/// m of F(m x m, 3 x 3); 0 for direct.
int winograd_tile(ConvAlgorithm algorithm);

/// Throws ShapeError unless x [N,H,W,C], w = [K,R,S,C] and the epilogue fit together.
void check_conv2d(const Tensor& x, const Shape& w, const ConvEpilogue& epilogue, const Conv2dOptions& options);

namespace native {

/// Weights made ready for the forward pass of one algorithm.
using Filters = std::variant<direct::PackedWeights, winograd::Filters>;
/// `algorithm` is that of a ConvPlan.
Filters prepare(const Tensor& w, ConvAlgorithm algorithm, const Conv2dOptions& options);
Tensor conv2d(const Tensor& x, const Filters& filters, const ConvEpilogue& epilogue, const Conv2dOptions& options);

/// As the ops of the same name in tensor/ops/conv2d.h, after their checks.
Tensor conv2d(const Tensor& x, const Tensor& w, const ConvEpilogue& epilogue, const Conv2dOptions& options);
Tensor conv2d_backward_input(const Tensor& dy, const Tensor& w, const Shape& x_shape, const Conv2dOptions& options);
void conv2d_backward_weight(const Tensor& dw, const Tensor& x, const Tensor& dy, const Conv2dOptions& options);

}  // namespace native
}  // namespace giza::ops
