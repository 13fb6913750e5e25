// Loops of batch normalisation. Rows of `width` floats; parameters have one value
// per column.
#pragma once

#include <cstdint>

#include "tensor/rows.h"

namespace giza::kernels {

/// With d = x - shift in double: sums[i] += d, sums[sum_stride + i] += d * d. sums is padded to a multiple of 16.
void batch_norm_moments(ConstRows x, const float* shift, int64_t rows, int64_t width, double* sums, int64_t sum_stride);

/// y = (x - center) * scale + offset (+ residual), then max(y, 0) with relu. residual may be left out.
void batch_norm_normalize(ConstRows x, ConstRows residual, const float* center, const float* scale, const float* offset,
                          bool relu, Rows y, int64_t rows, int64_t width);

/// Where a ReLU behind the batch norm let the gradient through: everywhere; where its output y, given, was positive; or
/// where (x - center) * scale + offset was, the same numbers as in the forward pass, so that y need not be kept.
struct BatchNormMask {
  ConstRows y = {};
  const float *scale = nullptr, *offset = nullptr;  ///< per column; used without y
};

/// With d = x - center and g = dy where the mask lets it through: sums of g, g * d and d in double, one sum_stride
/// apart. sums is padded to a multiple of 16.
void batch_norm_backward_sums(ConstRows dy, ConstRows x, const BatchNormMask& mask, const float* center, int64_t rows,
                              int64_t width, double* sums, int64_t sum_stride);

/// The coefficients of dx = a (g - g_center) + b (x - center) + c, per column.
struct BatchNormSlopes {
  const float *a, *g_center, *b, *center, *c;
};

/// dx as above and dresidual = g, which may be left out.
void batch_norm_backward_data(ConstRows dy, ConstRows x, const BatchNormMask& mask, const BatchNormSlopes& slopes,
                              Rows dx, Rows dresidual, int64_t rows, int64_t width);

/// dx = g * scale and dresidual = g: the statistics are constants. y and dresidual may be left out.
void batch_norm_backward_constant(ConstRows dy, ConstRows y, const float* scale, Rows dx, Rows dresidual, int64_t rows,
                                  int64_t width);

}  // namespace giza::kernels
