// Loops over single elements. All take rows of `width` floats.
#pragma once

#include <cstdint>

#include "tensor/rows.h"

namespace giza::kernels {

/// y = x.
void copy_rows(ConstRows x, Rows y, int64_t rows, int64_t width);
/// y = value.
void fill_rows(float value, Rows y, int64_t rows, int64_t width);
/// y = max(x, 0); NaN stays.
void relu(ConstRows x, Rows y, int64_t rows, int64_t width);
/// dx = dy where y > 0, else 0.
void relu_backward(ConstRows dy, ConstRows y, Rows dx, int64_t rows, int64_t width);
/// y = a + b; y may be a.
void add(ConstRows a, ConstRows b, Rows y, int64_t rows, int64_t width);
/// y = the larger of a and b; NaN where one is.
void maximum(ConstRows a, ConstRows b, Rows y, int64_t rows, int64_t width);
/// da = dy where maximum took a, and db = dy elsewhere; 0 where they are not.
void maximum_backward(ConstRows dy, ConstRows a, ConstRows b, Rows da, Rows db, int64_t rows, int64_t width);
/// y = x * factor.
void scale(ConstRows x, float factor, Rows y, int64_t rows, int64_t width);
/// y = x * factors, one factor per column.
void scale_columns(ConstRows x, const float* factors, Rows y, int64_t rows, int64_t width);
/// True if no element is infinite or NaN.
bool all_finite(ConstRows x, int64_t rows, int64_t width);

}  // namespace giza::kernels
