// Loops over single elements.
#include "tensor/kernels/elementwise.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/elementwise.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace giza::kernels {
namespace HWY_NAMESPACE {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

void copy_rows(const float* x, int64_t x_stride, float* y, int64_t y_stride, int64_t rows, int64_t width) {
  const Columns<D> columns(width);
  for (int64_t r = 0; r < rows; ++r, x += x_stride, y += y_stride) {
    columns.for_each([&](auto lanes, int64_t i) HWY_ATTR { lanes.store(lanes.load(x + i), y + i); });
  }
}

void fill_rows(float value, float* y, int64_t y_stride, int64_t rows, int64_t width) {
  const Columns<D> columns(width);
  const V values = hn::Set(D(), value);
  for (int64_t r = 0; r < rows; ++r, y += y_stride) {
    columns.for_each([&](auto lanes, int64_t i) HWY_ATTR { lanes.store(values, y + i); });
  }
}

void relu(const float* x, int64_t x_stride, float* y, int64_t y_stride, int64_t rows, int64_t width) {
  const Columns<D> columns(width);
  for (int64_t r = 0; r < rows; ++r, x += x_stride, y += y_stride) {
    columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
      const V v = lanes.load(x + i);
      lanes.store(hn::IfThenZeroElse(hn::Lt(v, hn::Zero(D())), v), y + i);
    });
  }
}

void relu_backward(const float* dy, int64_t dy_stride, const float* y, int64_t y_stride, float* dx, int64_t dx_stride,
                   int64_t rows, int64_t width) {
  const Columns<D> columns(width);
  for (int64_t r = 0; r < rows; ++r, dy += dy_stride, y += y_stride, dx += dx_stride) {
    columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
      const auto open = hn::Gt(lanes.load(y + i), hn::Zero(D()));
      lanes.store(hn::IfThenElseZero(open, lanes.load(dy + i)), dx + i);
    });
  }
}

void add(const float* a, int64_t a_stride, const float* b, int64_t b_stride, float* y, int64_t y_stride, int64_t rows,
         int64_t width) {
  const Columns<D> columns(width);
  for (int64_t r = 0; r < rows; ++r, a += a_stride, b += b_stride, y += y_stride) {
    columns.for_each([&](auto lanes, int64_t i)
                         HWY_ATTR { lanes.store(hn::Add(lanes.load(a + i), lanes.load(b + i)), y + i); });
  }
}

void scale(const float* x, int64_t x_stride, float factor, float* y, int64_t y_stride, int64_t rows, int64_t width) {
  const Columns<D> columns(width);
  const V factors = hn::Set(D(), factor);
  for (int64_t r = 0; r < rows; ++r, x += x_stride, y += y_stride) {
    columns.for_each([&](auto lanes, int64_t i) HWY_ATTR { lanes.store(hn::Mul(lanes.load(x + i), factors), y + i); });
  }
}

void scale_columns(const float* x, int64_t x_stride, const float* factors, float* y, int64_t y_stride, int64_t rows,
                   int64_t width) {
  const Columns<D> columns(width);
  for (int64_t r = 0; r < rows; ++r, x += x_stride, y += y_stride) {
    columns.for_each([&](auto lanes, int64_t i)
                         HWY_ATTR { lanes.store(hn::Mul(lanes.load(x + i), lanes.load(factors + i)), y + i); });
  }
}

bool all_finite(const float* x, int64_t x_stride, int64_t rows, int64_t width) {
  const Columns<D> columns(width);
  // x - x is 0 for a finite x and NaN otherwise, and a sum with NaN in it stays NaN: no branch in the loop.
  V sum = hn::Zero(D());
  for (int64_t r = 0; r < rows; ++r, x += x_stride) {
    columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
      const V v = lanes.load(x + i);
      sum = hn::Add(sum, hn::Sub(v, v));
    });
  }
  return hn::AllFalse(D(), hn::IsNaN(sum));
}

}  // namespace HWY_NAMESPACE
}  // namespace giza::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace giza::kernels {

HWY_EXPORT(copy_rows);
HWY_EXPORT(fill_rows);
HWY_EXPORT(relu);
HWY_EXPORT(relu_backward);
HWY_EXPORT(add);
HWY_EXPORT(scale);
HWY_EXPORT(scale_columns);
HWY_EXPORT(all_finite);

void copy_rows(const float* x, int64_t x_stride, float* y, int64_t y_stride, int64_t rows, int64_t width) {
  HWY_DYNAMIC_DISPATCH(copy_rows)(x, x_stride, y, y_stride, rows, width);
}

void fill_rows(float value, float* y, int64_t y_stride, int64_t rows, int64_t width) {
  HWY_DYNAMIC_DISPATCH(fill_rows)(value, y, y_stride, rows, width);
}

void relu(const float* x, int64_t x_stride, float* y, int64_t y_stride, int64_t rows, int64_t width) {
  HWY_DYNAMIC_DISPATCH(relu)(x, x_stride, y, y_stride, rows, width);
}

void relu_backward(const float* dy, int64_t dy_stride, const float* y, int64_t y_stride, float* dx, int64_t dx_stride,
                   int64_t rows, int64_t width) {
  HWY_DYNAMIC_DISPATCH(relu_backward)(dy, dy_stride, y, y_stride, dx, dx_stride, rows, width);
}

void add(const float* a, int64_t a_stride, const float* b, int64_t b_stride, float* y, int64_t y_stride, int64_t rows,
         int64_t width) {
  HWY_DYNAMIC_DISPATCH(add)(a, a_stride, b, b_stride, y, y_stride, rows, width);
}

void scale(const float* x, int64_t x_stride, float factor, float* y, int64_t y_stride, int64_t rows, int64_t width) {
  HWY_DYNAMIC_DISPATCH(scale)(x, x_stride, factor, y, y_stride, rows, width);
}

void scale_columns(const float* x, int64_t x_stride, const float* factors, float* y, int64_t y_stride, int64_t rows,
                   int64_t width) {
  HWY_DYNAMIC_DISPATCH(scale_columns)(x, x_stride, factors, y, y_stride, rows, width);
}

bool all_finite(const float* x, int64_t x_stride, int64_t rows, int64_t width) {
  return HWY_DYNAMIC_DISPATCH(all_finite)(x, x_stride, rows, width);
}

}  // namespace giza::kernels
#endif  // HWY_ONCE
