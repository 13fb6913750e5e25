// oneDNN's convolution at its best: operands lie in the layouts it likes best, and the primitive is made beforehand.
#pragma once

#include <functional>

#include "tensor/ops/conv2d.h"

namespace giza::bench {

enum class OnednnAlgorithm { direct, winograd };

/// A function that runs the pass once, and nothing but oneDNN's primitive: x [N,H,W,C], w [K,R,S,C], without bias, each
/// of random numbers. Empty if this build has no oneDNN, or oneDNN not this algorithm for the shape on this processor.
std::function<void()> onednn_best(ConvPass pass, OnednnAlgorithm algorithm, const Shape& x, const Shape& w,
                                  const Conv2dOptions& options);

}  // namespace giza::bench
