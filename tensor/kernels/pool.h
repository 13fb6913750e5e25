// Loops of pooling. A pixel is `width` floats; pictures are given by their first pixel.
#pragma once

#include <cstdint>

#include "tensor/rows.h"

namespace giza::kernels {

/// Positions [begin, end) along an axis: the inputs of an output, or the outputs that an input is part of.
struct PoolRange {
  int64_t begin, end;
};

/// One row of outputs: the maximum over the pixels rows x columns[q] of the picture x, which is picture_width pixels
/// wide. NaN is larger than all numbers. Into `positions` goes the position y * picture_width + x of the first maximum,
/// as the bits of an int32. Either may be missing.
void max_pool_row(ConstRows x, int64_t picture_width, PoolRange rows, const PoolRange* columns, Rows y, Rows positions,
                  int64_t pixels, int64_t width);

/// One row of inputs, number `row`: the sum of dy over the outputs rows x columns[x] whose positions name this pixel.
/// dy and positions are pictures of out_width pixels.
void max_pool_backward_row(ConstRows dy, ConstRows positions, int64_t out_width, PoolRange rows,
                           const PoolRange* columns, int64_t row, Rows dx, int64_t pixels, int64_t width);

/// One row of outputs of max_pool_row, the other way round: dx = dy at the pixel that positions name among the pixels
/// rows x columns[q] of the picture dy; 0 where they name none of these.
void max_unpool_backward_row(ConstRows dy, int64_t picture_width, PoolRange rows, const PoolRange* columns,
                             ConstRows positions, Rows dx, int64_t pixels, int64_t width);

/// One row of outputs: the sum over the pixels rows x columns[q] of the picture x, times `factor`.
void average_pool_row(ConstRows x, int64_t picture_width, PoolRange rows, const PoolRange* columns, float factor,
                      Rows y, int64_t pixels, int64_t width);

/// One row of inputs: the sum of dy[p, q] * row_factors[p] * column_factors[q] over the outputs rows x columns[x].
/// With `add`, on top of what dx holds.
void average_pool_backward_row(ConstRows dy, int64_t out_width, PoolRange rows, const PoolRange* columns,
                               const float* row_factors, const float* column_factors, Rows dx, int64_t pixels,
                               int64_t width, bool add);

}  // namespace giza::kernels
