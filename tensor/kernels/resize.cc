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

void resize_rows(ConstRows a, float a_weight, ConstRows b, float b_weight, Rows y, int64_t pixels, int64_t width) {
  const Columns<D> columns(width);
  for (int64_t i = 0; i < pixels; ++i) {
    blend(columns, a.row(i), a_weight, b.row(i), b_weight, y.row(i));
  }
}

void resize_pixels(ConstRows x, const ResizeTap* taps, Rows y, int64_t pixels, int64_t width) {
  const Columns<D> columns(width);
  for (int64_t q = 0; q < pixels; ++q) {
    const ResizeTap& tap = taps[q];
    blend(columns, x.row(tap.low), tap.low_weight, x.row(tap.high), tap.high_weight, y.row(q));
  }
}

/// dx = sum over q in source of weight * dy[q * stride].
template <class C>
HWY_INLINE void gather(const C& columns, ConstRows dy, const ResizeSources& source, float* dx) {
  // Long sums by runs of 16: the rounding errors of a sum of n terms then grow like n/16 + 16.
  constexpr int64_t kRun = 16;
  columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
    V sum = hn::Zero(D());
    for (int64_t first = source.begin; first < source.end; first += kRun) {
      V run = hn::Zero(D());
      for (int64_t q = first; q < std::min(first + kRun, source.end); ++q) {
        run = hn::MulAdd(lanes.load(dy.row(q) + i), hn::Set(D(), source.weights[q - source.begin]), run);
      }
      sum = hn::Add(sum, run);
    }
    lanes.store(sum, dx + i);
  });
}

void resize_gather_pixels(ConstRows dy, const ResizeSources* sources, Rows dx, int64_t pixels, int64_t width) {
  const Columns<D> columns(width);
  for (int64_t i = 0; i < pixels; ++i) gather(columns, dy, sources[i], dx.row(i));
}

void resize_gather_rows(ConstRows dy, int64_t row_stride, const ResizeSources& source, Rows dx, int64_t pixels,
                        int64_t width) {
  const Columns<D> columns(width);
  for (int64_t i = 0; i < pixels; ++i) gather(columns, {dy.row(i), row_stride}, source, dx.row(i));
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

void resize_rows(ConstRows a, float a_weight, ConstRows b, float b_weight, Rows y, int64_t pixels, int64_t width) {
  HWY_DYNAMIC_DISPATCH(resize_rows)(a, a_weight, b, b_weight, y, pixels, width);
}

void resize_pixels(ConstRows x, const ResizeTap* taps, Rows y, int64_t pixels, int64_t width) {
  HWY_DYNAMIC_DISPATCH(resize_pixels)(x, taps, y, pixels, width);
}

void resize_gather_pixels(ConstRows dy, const ResizeSources* sources, Rows dx, int64_t pixels, int64_t width) {
  HWY_DYNAMIC_DISPATCH(resize_gather_pixels)(dy, sources, dx, pixels, width);
}

void resize_gather_rows(ConstRows dy, int64_t row_stride, const ResizeSources& source, Rows dx, int64_t pixels,
                        int64_t width) {
  HWY_DYNAMIC_DISPATCH(resize_gather_rows)(dy, row_stride, source, dx, pixels, width);
}

}  // namespace giza::kernels
#endif  // HWY_ONCE
