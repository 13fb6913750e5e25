// A part of every map, and maps with a mirrored border.
#pragma once

#include "tensor/tensor.h"

namespace giza::ops {

/// Rows top to top + height and columns left to left + width of x [N,H,W,C] -> [N,height,width,C]. Throws ShapeError
/// where that is not inside x.
Tensor crop2d(const Tensor& x, int64_t top, int64_t left, int64_t height, int64_t width);
/// dy where the crop was, 0 elsewhere.
Tensor crop2d_backward(const Tensor& dy, const Shape& x_shape, int64_t top, int64_t left);

/// Where the pixel at `i`, which may lie outside an axis of `size`, is seen in it: mirrored at its first and last
/// pixel.
int64_t mirrored(int64_t i, int64_t size);

/// `border` more pixels on each side, mirrored at the outermost row and column, which stand once: OpenCV's
/// BORDER_REFLECT_101, PyTorch's "reflect". A border of the size of the map or more goes on being mirrored, as OpenCV's
/// does. x [N,H,W,C] -> [N,H + 2 border,W + 2 border,C].
Tensor mirror_pad2d(const Tensor& x, int64_t border);
/// Each number of dx gathers those of all its images, in row-major order.
Tensor mirror_pad2d_backward(const Tensor& dy, const Shape& x_shape, int64_t border);

}  // namespace giza::ops
