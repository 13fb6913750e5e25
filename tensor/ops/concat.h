// Concatenation along channels.
#pragma once

#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace giza::ops {

/// [N,H,W,C0], [N,H,W,C1], ... -> [N,H,W,C0+C1+...]. Throws ShapeError if leading sizes differ or the list is empty.
/// The backward pass needs no kernel: each gradient is a channel_slice of dy.
Tensor concat_channels(std::span<const Tensor> parts);

}  // namespace giza::ops
