// The Eigen convolution backend: 1x1 convolutions as products of Eigen's, to compare with.
#pragma once

#include "tensor/ops/conv2d.h"

namespace giza::ops::eigen {

/// True for w = [K,1,1,C] without padding, at any stride.
bool applies(const Shape& w, const Conv2dOptions& options);

/// As the ops of the same name in tensor/ops/conv2d.h, after their checks, where it applies. Blocks of the result are
/// tasks, so that the bits do not depend on the number of threads; Eigen's own cache blocks depend on the processor.
/// Throw Error where giza was built without Eigen.
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv2dOptions& options);
Tensor conv2d_backward_input(const Tensor& dy, const Tensor& w, const Shape& x_shape, const Conv2dOptions& options);
void conv2d_backward_weight(const Tensor& dw, const Tensor& x, const Tensor& dy, const Conv2dOptions& options);

}  // namespace giza::ops::eigen
