// Initial weights.
#pragma once

#include "tensor/random.h"
#include "tensor/tensor.h"

namespace giza::layers {

/// How many numbers an element takes from `random`, for those who draw on after it.
constexpr uint32_t kNormalDraws = 2, kUniformDraws = 1;

/// Normal with standard deviation sqrt(2 / fan_out), fan_out = K R S (He et al., ICCV 2015, eq. 14): the backbone.
Tensor kaiming_normal_fan_out(const Shape& krsc, const Random& random);
/// Uniform in +-1 / sqrt(fan_in), fan_in = R S C: PyTorch's default for convolutions and linear layers.
Tensor default_uniform(const Shape& shape, int64_t fan_in, const Random& random);

}  // namespace giza::layers
