// Dropout of whole channels, and of elements.
#pragma once

#include "tensor/random.h"
#include "tensor/tensor.h"

namespace giza::ops {

/// The factors of dropout2d: [N,1,1,C] of 0 (probability p) or 1 / (1 - p); factor (n, c) is draw n * C + c of
/// `random`. Throws ShapeError unless 0 <= p < 1.
Tensor dropout2d_mask(int64_t n, int64_t channels, float p, const Random& random);
/// x [N,H,W,C] * mask [N,1,1,C]. Its own backward: dx = dropout2d(dy, mask).
Tensor dropout2d(const Tensor& x, const Tensor& mask);

/// Each element of x times 0 (probability p) or 1 / (1 - p): element i in the order of the numbers (channels innermost)
/// is draw i of `random`. Its own backward: dx = dropout(dy, p, random). Throws ShapeError unless 0 <= p < 1.
Tensor dropout(const Tensor& x, float p, const Random& random);

}  // namespace giza::ops
