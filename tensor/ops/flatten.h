// Pictures as vectors, for fully connected layers.
#pragma once

#include "tensor/tensor.h"

namespace giza::ops {

/// x [N,H,W,C] -> [N, C * H * W], channels outermost, as PyTorch's flatten of [N,C,H,W]: the order that its weights
/// expect.
Tensor flatten(const Tensor& x);
/// dy [N, C * H * W] -> dx of shape x_shape = [N,H,W,C].
Tensor flatten_backward(const Tensor& dy, const Shape& x_shape);

}  // namespace giza::ops
