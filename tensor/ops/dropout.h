// Dropout of whole channels.
#pragma once

#include "tensor/random.h"
#include "tensor/tensor.h"

namespace giza::ops {

/// The factors of dropout2d: [N,1,1,C] of 0 (probability p) or 1 / (1 - p); factor (n, c) is draw n * C + c of `random`.
/// Throws ShapeError unless 0 <= p < 1.
Tensor dropout2d_mask(int64_t n, int64_t channels, float p, const Random& random);
/// x [N,H,W,C] * mask [N,1,1,C]. Its own backward: dx = dropout2d(dy, mask).
Tensor dropout2d(const Tensor& x, const Tensor& mask);

}  // namespace giza::ops
