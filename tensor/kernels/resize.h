// Loops of bilinear resize: along one axis at a time. A pixel is `width` floats.
#pragma once

#include <cstdint>

#include "tensor/rows.h"

namespace giza::kernels {

/// y = a * a_weight + b * b_weight for `pixels` pixels: interpolation between two rows of a picture.
void resize_rows(ConstRows a, float a_weight, ConstRows b, float b_weight, Rows y, int64_t pixels, int64_t width);

/// What output q of an axis is made of: input low * low_weight + input high * high_weight.
struct ResizeTap {
  int64_t low, high;
  float low_weight, high_weight;
};

/// y[q] = taps[q] of the row x, for `pixels` output pixels.
void resize_pixels(ConstRows x, const ResizeTap* taps, Rows y, int64_t pixels, int64_t width);

/// The outputs [begin, end) that input i of an axis is part of; weights[0] is its weight in output `begin`.
struct ResizeSources {
  int64_t begin, end;
  const float* weights;
};

/// dx[i] = sum over q in sources[i] of weight * dy[q], for `pixels` input pixels: the adjoint of resize_pixels.
void resize_gather_pixels(ConstRows dy, const ResizeSources* sources, Rows dx, int64_t pixels, int64_t width);

/// dx = sum over p in source of weight * row p of dy, for `pixels` pixels; rows are row_stride floats apart.
void resize_gather_rows(ConstRows dy, int64_t row_stride, const ResizeSources& source, Rows dx, int64_t pixels,
                        int64_t width);

}  // namespace giza::kernels
