// The native convolution backend: products of gathered rows and packed weights, cut into tasks by shape.
#pragma once

#include "tensor/ops/conv2d.h"

namespace giza::ops::native {

/// As the ops of the same name in tensor/ops/conv2d.h, after their checks.
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv2dOptions& options);
Tensor conv2d_backward_input(const Tensor& dy, const Tensor& w, const Shape& x_shape, const Conv2dOptions& options);
Tensor conv2d_backward_weight(const Tensor& x, const Tensor& dy, const Shape& w_shape, const Conv2dOptions& options);

}  // namespace giza::ops::native
