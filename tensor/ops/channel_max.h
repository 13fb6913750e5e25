// The largest channel of each pixel.
#pragma once

#include "tensor/tensor.h"

namespace giza::ops {

/// x [..,C] -> [..,1]; NaN where a channel is. Throws ShapeError without channels.
Tensor max_channels(const Tensor& x);
/// The gradient goes to the first of the largest channels.
Tensor max_channels_backward(const Tensor& dy, const Tensor& x);

}  // namespace giza::ops
