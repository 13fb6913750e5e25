// The loop of a Gaussian filter between all pairs of pixels.
#pragma once

#include <cstdint>

#include "tensor/rows.h"

namespace giza::kernels {

/// Features of pixels as columns: feature k of pixel i is data[k * stride + i]. Readable up to a multiple of 64 pixels.
struct FeatureColumns {
  const float* data;
  int64_t stride;
  int dimension;
  int64_t pixels;
};

/// y[i] = base[i] + outputs[i] * sum over all j of exp(-|f_i - f_j|^2) inputs[j] x[j], for i in [begin, end). Sums over
/// 64 pixels at a time, then over these sums. width is 4, 8, 16 or 32; y may be base.
void gaussian_filter(const FeatureColumns& features, const float* inputs, const float* outputs, ConstRows x,
                     ConstRows base, Rows y, int64_t begin, int64_t end, int64_t width);

}  // namespace giza::kernels
