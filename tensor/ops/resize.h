// Bilinear resize in NHWC, PyTorch's interpolate(mode="bilinear", antialias=False).
#pragma once

#include "tensor/tensor.h"

namespace giza::ops {

/// x [N,H,W,C] -> [N,height,width,C].
/// align_corners: source = i (H - 1) / (height - 1), 0 where height is 1.
/// Otherwise half-pixel centres: source = max(0, (i + 0.5) H / height - 0.5). Sources beyond the last row are clamped.
/// Throws ShapeError if a size is below one.
Tensor resize_bilinear(const Tensor& x, int64_t height, int64_t width, bool align_corners);
/// dy [N,height,width,C] -> dx of shape x_shape. Every dx element is gathered by one owner in a fixed order.
Tensor resize_bilinear_backward(const Tensor& dy, const Shape& x_shape, bool align_corners);

}  // namespace giza::ops
