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

void copy_rows(ConstRows x, Rows y, int64_t rows, int64_t width) {
  const Columns<D> columns(width);
  for (int64_t r = 0; r < rows; ++r, x.data += x.stride, y.data += y.stride) {
    columns.for_each([&](auto lanes, int64_t i) HWY_ATTR { lanes.store(lanes.load(x.data + i), y.data + i); });
  }
}

void fill_rows(float value, Rows y, int64_t rows, int64_t width) {
  const Columns<D> columns(width);
  const V values = hn::Set(D(), value);
  for (int64_t r = 0; r < rows; ++r, y.data += y.stride) {
    columns.for_each([&](auto lanes, int64_t i) HWY_ATTR { lanes.store(values, y.data + i); });
  }
}

void relu(ConstRows x, Rows y, int64_t rows, int64_t width) {
  const Columns<D> columns(width);
  for (int64_t r = 0; r < rows; ++r, x.data += x.stride, y.data += y.stride) {
    columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
      const V v = lanes.load(x.data + i);
      lanes.store(hn::IfThenZeroElse(hn::Lt(v, hn::Zero(D())), v), y.data + i);
    });
  }
}

void relu_backward(ConstRows dy, ConstRows y, Rows dx, int64_t rows, int64_t width) {
  const Columns<D> columns(width);
  for (int64_t r = 0; r < rows; ++r, dy.data += dy.stride, y.data += y.stride, dx.data += dx.stride) {
    columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
      const auto open = hn::Gt(lanes.load(y.data + i), hn::Zero(D()));
      lanes.store(hn::IfThenElseZero(open, lanes.load(dy.data + i)), dx.data + i);
    });
  }
}

void add(ConstRows a, ConstRows b, Rows y, int64_t rows, int64_t width) {
  const Columns<D> columns(width);
  for (int64_t r = 0; r < rows; ++r, a.data += a.stride, b.data += b.stride, y.data += y.stride) {
    columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
      lanes.store(hn::Add(lanes.load(a.data + i), lanes.load(b.data + i)), y.data + i);
    });
  }
}

/// True where maximum takes a: the first of equals, and a NaN of its own.
HWY_INLINE hn::Mask<D> takes_first(V a, V b) { return hn::Or(hn::Ge(a, b), hn::IsNaN(a)); }

void maximum(ConstRows a, ConstRows b, Rows y, int64_t rows, int64_t width) {
  const Columns<D> columns(width);
  for (int64_t r = 0; r < rows; ++r, a.data += a.stride, b.data += b.stride, y.data += y.stride) {
    columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
      const V first = lanes.load(a.data + i), second = lanes.load(b.data + i);
      lanes.store(hn::IfThenElse(takes_first(first, second), first, second), y.data + i);
    });
  }
}

void maximum_backward(ConstRows dy, ConstRows a, ConstRows b, Rows da, Rows db, int64_t rows, int64_t width) {
  const Columns<D> columns(width);
  for (int64_t r = 0; r < rows; ++r) {
    columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
      const V gradient = lanes.load(dy.row(r) + i);
      const auto first = takes_first(lanes.load(a.row(r) + i), lanes.load(b.row(r) + i));
      lanes.store(hn::IfThenElseZero(first, gradient), da.row(r) + i);
      lanes.store(hn::IfThenZeroElse(first, gradient), db.row(r) + i);
    });
  }
}

void scale(ConstRows x, float factor, Rows y, int64_t rows, int64_t width) {
  const Columns<D> columns(width);
  const V factors = hn::Set(D(), factor);
  for (int64_t r = 0; r < rows; ++r, x.data += x.stride, y.data += y.stride) {
    columns.for_each([&](auto lanes, int64_t i)
                         HWY_ATTR { lanes.store(hn::Mul(lanes.load(x.data + i), factors), y.data + i); });
  }
}

void scale_columns(ConstRows x, const float* factors, Rows y, int64_t rows, int64_t width) {
  const Columns<D> columns(width);
  for (int64_t r = 0; r < rows; ++r, x.data += x.stride, y.data += y.stride) {
    columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
      lanes.store(hn::Mul(lanes.load(x.data + i), lanes.load(factors + i)), y.data + i);
    });
  }
}

bool all_finite(ConstRows x, int64_t rows, int64_t width) {
  const Columns<D> columns(width);
  // x - x is 0 for a finite x and NaN otherwise, and a sum with NaN in it stays NaN: no branch in the loop.
  V sum = hn::Zero(D());
  for (int64_t r = 0; r < rows; ++r, x.data += x.stride) {
    columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
      const V v = lanes.load(x.data + i);
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
HWY_EXPORT(maximum);
HWY_EXPORT(maximum_backward);
HWY_EXPORT(scale);
HWY_EXPORT(scale_columns);
HWY_EXPORT(all_finite);

void copy_rows(ConstRows x, Rows y, int64_t rows, int64_t width) { HWY_DYNAMIC_DISPATCH(copy_rows)(x, y, rows, width); }

void fill_rows(float value, Rows y, int64_t rows, int64_t width) {
  HWY_DYNAMIC_DISPATCH(fill_rows)(value, y, rows, width);
}

void relu(ConstRows x, Rows y, int64_t rows, int64_t width) { HWY_DYNAMIC_DISPATCH(relu)(x, y, rows, width); }

void relu_backward(ConstRows dy, ConstRows y, Rows dx, int64_t rows, int64_t width) {
  HWY_DYNAMIC_DISPATCH(relu_backward)(dy, y, dx, rows, width);
}

void add(ConstRows a, ConstRows b, Rows y, int64_t rows, int64_t width) {
  HWY_DYNAMIC_DISPATCH(add)(a, b, y, rows, width);
}

void maximum(ConstRows a, ConstRows b, Rows y, int64_t rows, int64_t width) {
  HWY_DYNAMIC_DISPATCH(maximum)(a, b, y, rows, width);
}

void maximum_backward(ConstRows dy, ConstRows a, ConstRows b, Rows da, Rows db, int64_t rows, int64_t width) {
  HWY_DYNAMIC_DISPATCH(maximum_backward)(dy, a, b, da, db, rows, width);
}

void scale(ConstRows x, float factor, Rows y, int64_t rows, int64_t width) {
  HWY_DYNAMIC_DISPATCH(scale)(x, factor, y, rows, width);
}

void scale_columns(ConstRows x, const float* factors, Rows y, int64_t rows, int64_t width) {
  HWY_DYNAMIC_DISPATCH(scale_columns)(x, factors, y, rows, width);
}

bool all_finite(ConstRows x, int64_t rows, int64_t width) { return HWY_DYNAMIC_DISPATCH(all_finite)(x, rows, width); }

}  // namespace giza::kernels
#endif  // HWY_ONCE
