// Loops over single elements. All take rows of `width` floats, each `stride` floats after the one before.
#pragma once

#include <cstdint>

namespace giza::kernels {

/// y = x.
void copy_rows(const float* x, int64_t x_stride, float* y, int64_t y_stride, int64_t rows, int64_t width);
/// y = value.
void fill_rows(float value, float* y, int64_t y_stride, int64_t rows, int64_t width);
/// y = max(x, 0); NaN stays.
void relu(const float* x, int64_t x_stride, float* y, int64_t y_stride, int64_t rows, int64_t width);
/// dx = dy where y > 0, else 0.
void relu_backward(const float* dy, int64_t dy_stride, const float* y, int64_t y_stride, float* dx, int64_t dx_stride,
                   int64_t rows, int64_t width);
/// y = a + b; y may be a.
void add(const float* a, int64_t a_stride, const float* b, int64_t b_stride, float* y, int64_t y_stride, int64_t rows,
         int64_t width);
/// y = x * factor.
void scale(const float* x, int64_t x_stride, float factor, float* y, int64_t y_stride, int64_t rows, int64_t width);
/// y = x * factors, one factor per column.
void scale_columns(const float* x, int64_t x_stride, const float* factors, float* y, int64_t y_stride, int64_t rows,
                   int64_t width);
/// True if no element is infinite or NaN.
bool all_finite(const float* x, int64_t x_stride, int64_t rows, int64_t width);

}  // namespace giza::kernels
