// Loops of bilinear resize.
#include "tensor/kernels/resize.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/resize.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace giza::kernels {
namespace HWY_NAMESPACE {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

/// y = a * a_weight + b * b_weight for one pixel.
template <class C>
HWY_INLINE void blend(const C& columns, const float* a, float a_weight, const float* b, float b_weight, float* y) {
  const V wa = hn::Set(D(), a_weight), wb = hn::Set(D(), b_weight);
  columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
    lanes.store(hn::MulAdd(lanes.load(b + i), wb, hn::Mul(lanes.load(a + i), wa)), y + i);
  });
}

void resize_rows(const float* a, float a_weight, const float* b, float b_weight, int64_t x_stride, float* y,
                 int64_t y_stride, int64_t pixels, int64_t width) {
  const Columns<D> columns(width);
  for (int64_t i = 0; i < pixels; ++i) {
    blend(columns, a + i * x_stride, a_weight, b + i * x_stride, b_weight, y + i * y_stride);
  }
}

void resize_pixels(const float* x, int64_t x_stride, const ResizeTap* taps, float* y, int64_t y_stride, int64_t pixels,
                   int64_t width) {
  const Columns<D> columns(width);
  for (int64_t q = 0; q < pixels; ++q) {
    const ResizeTap& tap = taps[q];
    blend(columns, x + tap.low * x_stride, tap.low_weight, x + tap.high * x_stride, tap.high_weight, y + q * y_stride);
  }
}

/// dx = sum over q in source of weight * dy[q * stride].
template <class C>
HWY_INLINE void gather(const C& columns, const float* dy, int64_t stride, const ResizeSources& source, float* dx) {
  // Long sums by runs of 16: the rounding errors of a sum of n terms then grow like n/16 + 16.
  constexpr int64_t kRun = 16;
  columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
    V sum = hn::Zero(D());
    for (int64_t first = source.begin; first < source.end; first += kRun) {
      V run = hn::Zero(D());
      for (int64_t q = first; q < std::min(first + kRun, source.end); ++q) {
        run = hn::MulAdd(lanes.load(dy + q * stride + i), hn::Set(D(), source.weights[q - source.begin]), run);
      }
      sum = hn::Add(sum, run);
    }
    lanes.store(sum, dx + i);
  });
}

void resize_gather_pixels(const float* dy, int64_t dy_stride, const ResizeSources* sources, float* dx,
                          int64_t dx_stride, int64_t pixels, int64_t width) {
  const Columns<D> columns(width);
  for (int64_t i = 0; i < pixels; ++i) gather(columns, dy, dy_stride, sources[i], dx + i * dx_stride);
}

void resize_gather_rows(const float* dy, int64_t dy_stride, int64_t row_stride, const ResizeSources& source, float* dx,
                        int64_t dx_stride, int64_t pixels, int64_t width) {
  const Columns<D> columns(width);
  for (int64_t i = 0; i < pixels; ++i) gather(columns, dy + i * dy_stride, row_stride, source, dx + i * dx_stride);
}

}  // namespace HWY_NAMESPACE
}  // namespace giza::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace giza::kernels {

HWY_EXPORT(resize_rows);
HWY_EXPORT(resize_pixels);
HWY_EXPORT(resize_gather_pixels);
HWY_EXPORT(resize_gather_rows);

void resize_rows(const float* a, float a_weight, const float* b, float b_weight, int64_t x_stride, float* y,
                 int64_t y_stride, int64_t pixels, int64_t width) {
  HWY_DYNAMIC_DISPATCH(resize_rows)(a, a_weight, b, b_weight, x_stride, y, y_stride, pixels, width);
}

void resize_pixels(const float* x, int64_t x_stride, const ResizeTap* taps, float* y, int64_t y_stride, int64_t pixels,
                   int64_t width) {
  HWY_DYNAMIC_DISPATCH(resize_pixels)(x, x_stride, taps, y, y_stride, pixels, width);
}

void resize_gather_pixels(const float* dy, int64_t dy_stride, const ResizeSources* sources, float* dx,
                          int64_t dx_stride, int64_t pixels, int64_t width) {
  HWY_DYNAMIC_DISPATCH(resize_gather_pixels)(dy, dy_stride, sources, dx, dx_stride, pixels, width);
}

void resize_gather_rows(const float* dy, int64_t dy_stride, int64_t row_stride, const ResizeSources& source, float* dx,
                        int64_t dx_stride, int64_t pixels, int64_t width) {
  HWY_DYNAMIC_DISPATCH(resize_gather_rows)(dy, dy_stride, row_stride, source, dx, dx_stride, pixels, width);
}

}  // namespace giza::kernels
#endif  // HWY_ONCE
