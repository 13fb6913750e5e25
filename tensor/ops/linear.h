// Fully connected layer.
#pragma once

#include "tensor/tensor.h"

namespace giza::ops {

/// x [N,C], w [K,C], bias [K] or undefined -> [N,K]: a 1x1 convolution on 1x1 pictures.
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias);
Tensor linear_backward_input(const Tensor& dy, const Tensor& w);
Tensor linear_backward_weight(const Tensor& x, const Tensor& dy);

}  // namespace giza::ops
