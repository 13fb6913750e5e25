// Inputs of several scales through one set of weights: DeepLab v2's "MSC" (Chen et al., "DeepLab", 2017, section 4.1),
// as kazuto1011/deeplab-pytorch trains it.
#pragma once

#include <array>
#include <cstdint>

#include "autograd/variable.h"

namespace giza::models {

/// numerator / denominator of the input's size, less than 1.
struct InputScale {
  int64_t numerator, denominator;
};
/// Those beside the input itself.
inline constexpr std::array<InputScale, 2> kInputScales = {{{1, 2}, {3, 4}}};

/// x [N,H,W,C] at a scale s -> [N,h,w,C]. With align_corners h = floor((H - 1) s) + 1, and corners stay where they are
/// (of 321 rows 161 and 241, the published network's). Otherwise h = floor(H s), at least 1, and row i is that at (i +
/// 0.5) / s - 0.5, whatever floor left out: PyTorch's interpolate with scale_factor, which kazuto1011 calls.
autograd::Variable at_scale(const autograd::Variable& x, InputScale scale, bool align_corners);

/// N,H,W -> N,height,width as PIL's NEAREST resizes: the label at ((i + 0.5) H / height, (j + 0.5) W / width). PIL sums
/// the steps up in double precision, which decides between two labels that are as near. Throws ShapeError for a size
/// below 1.
Labels resized_labels(const Labels& labels, int64_t height, int64_t width);

}  // namespace giza::models
