// The oneDNN convolution backend: the same ops by the library that PyTorch uses on CPUs, to compare with.
#pragma once

#include "tensor/ops/conv2d.h"

namespace giza::ops::onednn {

/// As the ops of the same name in tensor/ops/conv2d.h, after their checks. Layouts are oneDNN's choice; inputs and
/// outputs are reordered. Throw Error where giza was built without oneDNN or oneDNN fails.
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv2dOptions& options);
Tensor conv2d_backward_input(const Tensor& dy, const Tensor& w, const Shape& x_shape, const Conv2dOptions& options);
Tensor conv2d_backward_weight(const Tensor& x, const Tensor& dy, const Shape& w_shape, const Conv2dOptions& options);

}  // namespace giza::ops::onednn
