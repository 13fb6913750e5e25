// The L2 norm across channels with a learned gain (Liu et al., "ParseNet: Looking Wider to See Better", 2015, section
// 3.3).
#pragma once

#include "tensor/tensor.h"

namespace giza::ops {

/// gain x / n at each pixel, n = sqrt(1e-10 + sum over channels of x^2). x [..,C], gain [C]. Throws ShapeError if the
/// gain does not fit.
Tensor l2_normalize(const Tensor& x, const Tensor& gain);
/// x and gain are the inputs of l2_normalize.
struct L2NormalizeGradients {
  Tensor x, gain;
};
L2NormalizeGradients l2_normalize_backward(const Tensor& dy, const Tensor& x, const Tensor& gain);

}  // namespace giza::ops
