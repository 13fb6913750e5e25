// The reference convolution backend: naive loops in double precision, for comparison. Slow by design.
#pragma once

#include "tensor/ops/conv2d.h"

namespace giza::ops::reference {

/// As the ops of the same name in tensor/ops/conv2d.h, after their checks. Every sum is taken in double and rounded once.
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv2dOptions& options);
Tensor conv2d_backward_input(const Tensor& dy, const Tensor& w, const Shape& x_shape, const Conv2dOptions& options);
Tensor conv2d_backward_weight(const Tensor& x, const Tensor& dy, const Shape& w_shape, const Conv2dOptions& options);

}  // namespace giza::ops::reference
