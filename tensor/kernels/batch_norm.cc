// Loops of batch normalisation.
#include "tensor/kernels/batch_norm.h"

#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/batch_norm.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tensor/kernels/reduce-inl.h"

HWY_BEFORE_NAMESPACE();
namespace giza::kernels {
namespace HWY_NAMESPACE {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

enum class Mask { none, output, affine };

/// The gradient behind the ReLU in column i: dy where the output was positive. dy and y are rows, d is x - center. What the
/// mask does not read may be null: i is added to no pointer before.
template <Mask kMask, class DF, class Lanes>
HWY_INLINE hn::Vec<DF> gate(DF df, const Lanes& lanes, int64_t i, const float* dy, const float* y, hn::Vec<DF> d,
                            const float* scale, const float* offset) {
  if constexpr (kMask == Mask::output) {
    return hn::IfThenElseZero(hn::Gt(lanes.load(y + i), hn::Zero(df)), lanes.load(dy + i));
  } else if constexpr (kMask == Mask::affine) {
    const auto output = hn::MulAdd(d, lanes.load(scale + i), lanes.load(offset + i));
    return hn::IfThenElseZero(hn::Gt(output, hn::Zero(df)), lanes.load(dy + i));
  } else {
    return lanes.load(dy + i);
  }
}

/// Calls body(integral_constant of the mask's kind).
template <class Body>
HWY_INLINE void with_mask(const BatchNormMask& mask, const Body& body) {
  if (mask.y != nullptr) return body(std::integral_constant<Mask, Mask::output>());
  if (mask.scale != nullptr) return body(std::integral_constant<Mask, Mask::affine>());
  body(std::integral_constant<Mask, Mask::none>());
}

void batch_norm_moments(const float* x, int64_t x_stride, const float* shift, int64_t rows, int64_t width, double* sums,
                        int64_t sum_stride) {
  sum_over_rows<2>(rows, width, sums, sum_stride, [&](auto lanes, int64_t row, int64_t i, VD* s) HWY_ATTR {
    const VD d = hn::Sub(widen(lanes.load(x + row * x_stride + i)), widen(lanes.load(shift + i)));
    s[0] = hn::Add(s[0], d);
    s[1] = hn::MulAdd(d, d, s[1]);
  });
}

template <bool kResidual, bool kRelu>
HWY_INLINE void normalize(const float* x, int64_t x_stride, const float* residual, int64_t residual_stride,
                          const float* center, const float* scale, const float* offset, float* y, int64_t y_stride,
                          int64_t rows, int64_t width) {
  const Columns<D> columns(width);
  for (int64_t r = 0; r < rows; ++r, x += x_stride, y += y_stride) {
    columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
      const V d = hn::Sub(lanes.load(x + i), lanes.load(center + i));
      V v = hn::MulAdd(d, lanes.load(scale + i), lanes.load(offset + i));
      if constexpr (kResidual) v = hn::Add(v, lanes.load(residual + i));
      if constexpr (kRelu) v = hn::IfThenZeroElse(hn::Lt(v, hn::Zero(D())), v);
      lanes.store(v, y + i);
    });
    if constexpr (kResidual) residual += residual_stride;
  }
}

void batch_norm_normalize(const float* x, int64_t x_stride, const float* residual, int64_t residual_stride,
                          const float* center, const float* scale, const float* offset, bool relu, float* y,
                          int64_t y_stride, int64_t rows, int64_t width) {
  const auto run = [&](auto has_residual, auto has_relu) HWY_ATTR {
    normalize<has_residual, has_relu>(x, x_stride, residual, residual_stride, center, scale, offset, y, y_stride, rows,
                                      width);
  };
  if (residual != nullptr) {
    relu ? run(std::true_type(), std::true_type()) : run(std::true_type(), std::false_type());
  } else {
    relu ? run(std::false_type(), std::true_type()) : run(std::false_type(), std::false_type());
  }
}

void batch_norm_backward_sums(const float* dy, int64_t dy_stride, const float* x, int64_t x_stride,
                              const BatchNormMask& mask, const float* center, int64_t rows, int64_t width, double* sums,
                              int64_t sum_stride) {
  with_mask(mask, [&](auto kind) HWY_ATTR {
    sum_over_rows<3>(rows, width, sums, sum_stride, [&](auto lanes, int64_t row, int64_t i, VD* s) HWY_ATTR {
      const VHalf distance = hn::Sub(lanes.load(x + row * x_stride + i), lanes.load(center + i));
      const VD g = widen(gate<kind>(DHalf(), lanes, i, dy + row * dy_stride, mask.y + row * mask.y_stride, distance,
                                    mask.scale, mask.offset));
      const VD d = widen(distance);
      s[0] = hn::Add(s[0], g);
      s[1] = hn::MulAdd(g, d, s[1]);
      s[2] = hn::Add(s[2], d);
    });
  });
}

template <Mask kMask, bool kResidual>
HWY_INLINE void backward_data(const float* dy, int64_t dy_stride, const float* x, int64_t x_stride,
                              const BatchNormMask& mask, const BatchNormSlopes& slopes, float* dx, int64_t dx_stride,
                              float* dresidual, int64_t dresidual_stride, int64_t rows, int64_t width) {
  const Columns<D> columns(width);
  const auto [a, g_center, b, center, c] = slopes;
  const float* y = mask.y;
  for (int64_t r = 0; r < rows; ++r) {
    columns.for_each([&, a = a, g_center = g_center, b = b, center = center, c = c](auto lanes, int64_t i) HWY_ATTR {
      const V d = hn::Sub(lanes.load(x + i), lanes.load(center + i));
      const V g = gate<kMask>(D(), lanes, i, dy, y, d, mask.scale, mask.offset);
      const V base = hn::MulAdd(lanes.load(b + i), d, lanes.load(c + i));
      lanes.store(hn::MulAdd(lanes.load(a + i), hn::Sub(g, lanes.load(g_center + i)), base), dx + i);
      if constexpr (kResidual) lanes.store(g, dresidual + i);
    });
    dy += dy_stride, x += x_stride, dx += dx_stride;
    if constexpr (kMask == Mask::output) y += mask.y_stride;
    if constexpr (kResidual) dresidual += dresidual_stride;
  }
}

void batch_norm_backward_data(const float* dy, int64_t dy_stride, const float* x, int64_t x_stride,
                              const BatchNormMask& mask, const BatchNormSlopes& slopes, float* dx, int64_t dx_stride,
                              float* dresidual, int64_t dresidual_stride, int64_t rows, int64_t width) {
  with_mask(mask, [&](auto kind) HWY_ATTR {
    if (dresidual != nullptr) {
      backward_data<kind, true>(dy, dy_stride, x, x_stride, mask, slopes, dx, dx_stride, dresidual, dresidual_stride,
                                rows, width);
    } else {
      backward_data<kind, false>(dy, dy_stride, x, x_stride, mask, slopes, dx, dx_stride, nullptr, 0, rows, width);
    }
  });
}

template <bool kRelu, bool kResidual>
HWY_INLINE void backward_constant(const float* dy, int64_t dy_stride, const float* y, int64_t y_stride,
                                  const float* scale, float* dx, int64_t dx_stride, float* dresidual,
                                  int64_t dresidual_stride, int64_t rows, int64_t width) {
  const Columns<D> columns(width);
  for (int64_t r = 0; r < rows; ++r) {
    columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
      const V g = gate < kRelu ? Mask::output : Mask::none > (D(), lanes, i, dy, y, V(), nullptr, nullptr);
      lanes.store(hn::Mul(g, lanes.load(scale + i)), dx + i);
      if constexpr (kResidual) lanes.store(g, dresidual + i);
    });
    dy += dy_stride, dx += dx_stride;
    if constexpr (kRelu) y += y_stride;
    if constexpr (kResidual) dresidual += dresidual_stride;
  }
}

void batch_norm_backward_constant(const float* dy, int64_t dy_stride, const float* y, int64_t y_stride,
                                  const float* scale, float* dx, int64_t dx_stride, float* dresidual,
                                  int64_t dresidual_stride, int64_t rows, int64_t width) {
  const auto run = [&](auto has_relu, auto has_residual) HWY_ATTR {
    backward_constant<has_relu, has_residual>(dy, dy_stride, y, y_stride, scale, dx, dx_stride, dresidual,
                                              dresidual_stride, rows, width);
  };
  if (y != nullptr) {
    dresidual != nullptr ? run(std::true_type(), std::true_type()) : run(std::true_type(), std::false_type());
  } else {
    dresidual != nullptr ? run(std::false_type(), std::true_type()) : run(std::false_type(), std::false_type());
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace giza::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace giza::kernels {

HWY_EXPORT(batch_norm_moments);
HWY_EXPORT(batch_norm_normalize);
HWY_EXPORT(batch_norm_backward_sums);
HWY_EXPORT(batch_norm_backward_data);
HWY_EXPORT(batch_norm_backward_constant);

void batch_norm_moments(const float* x, int64_t x_stride, const float* shift, int64_t rows, int64_t width, double* sums,
                        int64_t sum_stride) {
  HWY_DYNAMIC_DISPATCH(batch_norm_moments)(x, x_stride, shift, rows, width, sums, sum_stride);
}

void batch_norm_normalize(const float* x, int64_t x_stride, const float* residual, int64_t residual_stride,
                          const float* center, const float* scale, const float* offset, bool relu, float* y,
                          int64_t y_stride, int64_t rows, int64_t width) {
  HWY_DYNAMIC_DISPATCH(batch_norm_normalize)
  (x, x_stride, residual, residual_stride, center, scale, offset, relu, y, y_stride, rows, width);
}

void batch_norm_backward_sums(const float* dy, int64_t dy_stride, const float* x, int64_t x_stride,
                              const BatchNormMask& mask, const float* center, int64_t rows, int64_t width, double* sums,
                              int64_t sum_stride) {
  HWY_DYNAMIC_DISPATCH(batch_norm_backward_sums)
  (dy, dy_stride, x, x_stride, mask, center, rows, width, sums, sum_stride);
}

void batch_norm_backward_data(const float* dy, int64_t dy_stride, const float* x, int64_t x_stride,
                              const BatchNormMask& mask, const BatchNormSlopes& slopes, float* dx, int64_t dx_stride,
                              float* dresidual, int64_t dresidual_stride, int64_t rows, int64_t width) {
  HWY_DYNAMIC_DISPATCH(batch_norm_backward_data)
  (dy, dy_stride, x, x_stride, mask, slopes, dx, dx_stride, dresidual, dresidual_stride, rows, width);
}

void batch_norm_backward_constant(const float* dy, int64_t dy_stride, const float* y, int64_t y_stride,
                                  const float* scale, float* dx, int64_t dx_stride, float* dresidual,
                                  int64_t dresidual_stride, int64_t rows, int64_t width) {
  HWY_DYNAMIC_DISPATCH(batch_norm_backward_constant)
  (dy, dy_stride, y, y_stride, scale, dx, dx_stride, dresidual, dresidual_stride, rows, width);
}

}  // namespace giza::kernels
#endif  // HWY_ONCE
