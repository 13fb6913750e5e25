// Loops of batch normalisation. Rows of `width` floats, each its stride after the one before; parameters have one value
// per column.
#pragma once

#include <cstdint>

namespace giza::kernels {

/// With d = x - shift in double: sums[i] += d, sums[sum_stride + i] += d * d. sums is padded to a multiple of 16.
void batch_norm_moments(const float* x, int64_t x_stride, const float* shift, int64_t rows, int64_t width, double* sums,
                        int64_t sum_stride);

/// y = (x - center) * scale + offset (+ residual), then max(y, 0) with relu. residual may be null.
void batch_norm_normalize(const float* x, int64_t x_stride, const float* residual, int64_t residual_stride,
                          const float* center, const float* scale, const float* offset, bool relu, float* y,
                          int64_t y_stride, int64_t rows, int64_t width);

/// Where a ReLU behind the batch norm let the gradient through: everywhere; where its output y, given, was positive; or
/// where (x - center) * scale + offset was, the same numbers as in the forward pass, so that y need not be kept.
struct BatchNormMask {
  const float* y = nullptr;
  int64_t y_stride = 0;
  const float *scale = nullptr, *offset = nullptr;  ///< per column; used without y
};

/// With d = x - center and g = dy where the mask lets it through: sums of g, g * d and d in double, one sum_stride apart.
/// sums is padded to a multiple of 16.
void batch_norm_backward_sums(const float* dy, int64_t dy_stride, const float* x, int64_t x_stride,
                              const BatchNormMask& mask, const float* center, int64_t rows, int64_t width, double* sums,
                              int64_t sum_stride);

/// The coefficients of dx = a (g - g_center) + b (x - center) + c, per column.
struct BatchNormSlopes {
  const float *a, *g_center, *b, *center, *c;
};

/// dx as above and dresidual = g, which may be null.
void batch_norm_backward_data(const float* dy, int64_t dy_stride, const float* x, int64_t x_stride,
                              const BatchNormMask& mask, const BatchNormSlopes& slopes, float* dx, int64_t dx_stride,
                              float* dresidual, int64_t dresidual_stride, int64_t rows, int64_t width);

/// dx = g * scale and dresidual = g: the statistics are constants. y and dresidual may be null.
void batch_norm_backward_constant(const float* dy, int64_t dy_stride, const float* y, int64_t y_stride,
                                  const float* scale, float* dx, int64_t dx_stride, float* dresidual,
                                  int64_t dresidual_stride, int64_t rows, int64_t width);

}  // namespace giza::kernels
