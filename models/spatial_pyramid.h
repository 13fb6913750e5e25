// Spatial pyramid pooling (He et al., "Spatial pyramid pooling in deep convolutional networks for visual recognition",
// ECCV 2014): a vector of one length from a map of any size.
#pragma once

#include <cstdint>
#include <span>

#include "autograd/variable.h"

namespace giza::models {

/// Where the n windows lie along an axis of a positions.
enum class PyramidWindows {
  /// The paper's section on training: ceil(a / n) long, floor(a / n) apart. Where a mod n is 2 or more, they end before
  /// the axis does, and the last (a mod n) - 1 positions are not looked at.
  strided,
  /// The authors' released code and PyTorch's adaptive pooling: from floor(i a / n) to ceil((i + 1) a / n), so that
  /// every position is looked at. The same windows as `strided` where a mod n is 0 or 1.
  adaptive,
};

/// x [N,H,W,C] -> [N, C (sum of n^2)]: for each n of `bins` the maxima of n x n windows, flattened with the channels
/// outermost (PyTorch's order), one n after the other. Throws ShapeError without bins, and for strided windows on a map
/// with a side below n.
autograd::Variable spatial_pyramid(const autograd::Variable& x, std::span<const int64_t> bins, PyramidWindows windows);

}  // namespace giza::models
