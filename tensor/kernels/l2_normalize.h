// Loops of the L2 norm across channels.
#pragma once

#include <cstdint>

#include "tensor/rows.h"

namespace giza::kernels {

/// y = gain * x / n in each row, n = sqrt(eps + sum of squares of the row). If `y` is missing, only 1 / n is written.
/// Sums go over 16 virtual lanes in a fixed tree, so that every SIMD target with a fused multiply-add gives the same
/// bits.
void l2_normalize(ConstRows x, const float* gain, float eps, float* inverse_norms, Rows y, int64_t rows, int64_t width);
/// dx = (s - x (x . s) / n^2) / n in each row, s = gain * dy.
void l2_normalize_backward(ConstRows dy, ConstRows x, const float* gain, const float* inverse_norms, Rows dx,
                           int64_t rows, int64_t width);
/// sums[i] += dy * x / n over all rows: the gradient of the gain. sums is padded to a multiple of 16.
void l2_normalize_gain(ConstRows dy, ConstRows x, const float* inverse_norms, int64_t rows, int64_t width,
                       double* sums);

}  // namespace giza::kernels
