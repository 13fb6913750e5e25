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

/// The gradient behind the ReLU: dy where the output was positive. d is x - center.
template <Mask kMask, class DF, class Lanes>
HWY_INLINE hn::Vec<DF> gate(DF df, const Lanes& lanes, ConstRows dy, const BatchNormMask& mask, int64_t row, int64_t i,
                            hn::Vec<DF> d) {
  const auto gradient = lanes.load(dy.row(row) + i);
  if constexpr (kMask == Mask::output) {
    return hn::IfThenElseZero(hn::Gt(lanes.load(mask.y.row(row) + i), hn::Zero(df)), gradient);
  } else if constexpr (kMask == Mask::affine) {
    const auto output = hn::MulAdd(d, lanes.load(mask.scale + i), lanes.load(mask.offset + i));
    return hn::IfThenElseZero(hn::Gt(output, hn::Zero(df)), gradient);
  } else {
    return gradient;
  }
}

/// Calls body(integral_constant of the mask's kind).
template <class Body>
HWY_INLINE void with_mask(const BatchNormMask& mask, const Body& body) {
  if (mask.y.data != nullptr) return body(std::integral_constant<Mask, Mask::output>());
  if (mask.scale != nullptr) return body(std::integral_constant<Mask, Mask::affine>());
  body(std::integral_constant<Mask, Mask::none>());
}

void batch_norm_moments(ConstRows x, const float* shift, int64_t rows, int64_t width, double* sums,
                        int64_t sum_stride) {
  sum_over_rows<2>(rows, width, sums, sum_stride, [&](auto lanes, int64_t row, int64_t i, VD* s) HWY_ATTR {
    const VD d = hn::Sub(widen(lanes.load(x.row(row) + i)), widen(lanes.load(shift + i)));
    s[0] = hn::Add(s[0], d);
    s[1] = hn::MulAdd(d, d, s[1]);
  });
}

template <bool kResidual, bool kRelu>
HWY_INLINE void normalize(ConstRows x, ConstRows residual, const float* center, const float* scale, const float* offset,
                          Rows y, int64_t rows, int64_t width) {
  const Columns<D> columns(width);
  for (int64_t r = 0; r < rows; ++r, x.data += x.stride, y.data += y.stride) {
    columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
      const V d = hn::Sub(lanes.load(x.data + i), lanes.load(center + i));
      V v = hn::MulAdd(d, lanes.load(scale + i), lanes.load(offset + i));
      if constexpr (kResidual) v = hn::Add(v, lanes.load(residual.data + i));
      if constexpr (kRelu) v = hn::IfThenZeroElse(hn::Lt(v, hn::Zero(D())), v);
      lanes.store(v, y.data + i);
    });
    if constexpr (kResidual) residual.data += residual.stride;
  }
}

void batch_norm_normalize(ConstRows x, ConstRows residual, const float* center, const float* scale, const float* offset,
                          bool relu, Rows y, int64_t rows, int64_t width) {
  const auto run = [&](auto has_residual, auto has_relu) HWY_ATTR {
    normalize<has_residual, has_relu>(x, residual, center, scale, offset, y, rows, width);
  };
  if (residual.data != nullptr) {
    relu ? run(std::true_type(), std::true_type()) : run(std::true_type(), std::false_type());
  } else {
    relu ? run(std::false_type(), std::true_type()) : run(std::false_type(), std::false_type());
  }
}

void batch_norm_backward_sums(ConstRows dy, ConstRows x, const BatchNormMask& mask, const float* center, int64_t rows,
                              int64_t width, double* sums, int64_t sum_stride) {
  with_mask(mask, [&](auto kind) HWY_ATTR {
    sum_over_rows<3>(rows, width, sums, sum_stride, [&](auto lanes, int64_t row, int64_t i, VD* s) HWY_ATTR {
      const VHalf distance = hn::Sub(lanes.load(x.row(row) + i), lanes.load(center + i));
      const VD g = widen(gate<kind>(DHalf(), lanes, dy, mask, row, i, distance));
      const VD d = widen(distance);
      s[0] = hn::Add(s[0], g);
      s[1] = hn::MulAdd(g, d, s[1]);
      s[2] = hn::Add(s[2], d);
    });
  });
}

template <Mask kMask, bool kResidual>
HWY_INLINE void backward_data(ConstRows dy, ConstRows x, const BatchNormMask& mask, const BatchNormSlopes& slopes,
                              Rows dx, Rows dresidual, int64_t rows, int64_t width) {
  const Columns<D> columns(width);
  const auto [a, g_center, b, center, c] = slopes;
  for (int64_t r = 0; r < rows; ++r) {
    columns.for_each([&, a = a, g_center = g_center, b = b, center = center, c = c](auto lanes, int64_t i) HWY_ATTR {
      const V d = hn::Sub(lanes.load(x.data + i), lanes.load(center + i));
      const V g = gate<kMask>(D(), lanes, dy, mask, r, i, d);
      const V base = hn::MulAdd(lanes.load(b + i), d, lanes.load(c + i));
      lanes.store(hn::MulAdd(lanes.load(a + i), hn::Sub(g, lanes.load(g_center + i)), base), dx.data + i);
      if constexpr (kResidual) lanes.store(g, dresidual.data + i);
    });
    x.data += x.stride, dx.data += dx.stride;
    if constexpr (kResidual) dresidual.data += dresidual.stride;
  }
}

void batch_norm_backward_data(ConstRows dy, ConstRows x, const BatchNormMask& mask, const BatchNormSlopes& slopes,
                              Rows dx, Rows dresidual, int64_t rows, int64_t width) {
  with_mask(mask, [&](auto kind) HWY_ATTR {
    if (dresidual.data != nullptr) {
      backward_data<kind, true>(dy, x, mask, slopes, dx, dresidual, rows, width);
    } else {
      backward_data<kind, false>(dy, x, mask, slopes, dx, {}, rows, width);
    }
  });
}

template <Mask kMask, bool kResidual>
HWY_INLINE void backward_constant(ConstRows dy, const BatchNormMask& mask, const float* scale, Rows dx, Rows dresidual,
                                  int64_t rows, int64_t width) {
  const Columns<D> columns(width);
  for (int64_t r = 0; r < rows; ++r) {
    columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
      const V g = gate<kMask>(D(), lanes, dy, mask, r, i, V());
      lanes.store(hn::Mul(g, lanes.load(scale + i)), dx.data + i);
      if constexpr (kResidual) lanes.store(g, dresidual.data + i);
    });
    dx.data += dx.stride;
    if constexpr (kResidual) dresidual.data += dresidual.stride;
  }
}

void batch_norm_backward_constant(ConstRows dy, ConstRows y, const float* scale, Rows dx, Rows dresidual, int64_t rows,
                                  int64_t width) {
  const BatchNormMask mask = {y, nullptr, nullptr};
  const auto run = [&](auto kind, auto has_residual)
                       HWY_ATTR { backward_constant<kind, has_residual>(dy, mask, scale, dx, dresidual, rows, width); };
  using Output = std::integral_constant<Mask, Mask::output>;
  using None = std::integral_constant<Mask, Mask::none>;
  if (y.data != nullptr) {
    dresidual.data != nullptr ? run(Output(), std::true_type()) : run(Output(), std::false_type());
  } else {
    dresidual.data != nullptr ? run(None(), std::true_type()) : run(None(), std::false_type());
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

void batch_norm_moments(ConstRows x, const float* shift, int64_t rows, int64_t width, double* sums,
                        int64_t sum_stride) {
  HWY_DYNAMIC_DISPATCH(batch_norm_moments)(x, shift, rows, width, sums, sum_stride);
}

void batch_norm_normalize(ConstRows x, ConstRows residual, const float* center, const float* scale, const float* offset,
                          bool relu, Rows y, int64_t rows, int64_t width) {
  HWY_DYNAMIC_DISPATCH(batch_norm_normalize)
  (x, residual, center, scale, offset, relu, y, rows, width);
}

void batch_norm_backward_sums(ConstRows dy, ConstRows x, const BatchNormMask& mask, const float* center, int64_t rows,
                              int64_t width, double* sums, int64_t sum_stride) {
  HWY_DYNAMIC_DISPATCH(batch_norm_backward_sums)
  (dy, x, mask, center, rows, width, sums, sum_stride);
}

void batch_norm_backward_data(ConstRows dy, ConstRows x, const BatchNormMask& mask, const BatchNormSlopes& slopes,
                              Rows dx, Rows dresidual, int64_t rows, int64_t width) {
  HWY_DYNAMIC_DISPATCH(batch_norm_backward_data)
  (dy, x, mask, slopes, dx, dresidual, rows, width);
}

void batch_norm_backward_constant(ConstRows dy, ConstRows y, const float* scale, Rows dx, Rows dresidual, int64_t rows,
                                  int64_t width) {
  HWY_DYNAMIC_DISPATCH(batch_norm_backward_constant)
  (dy, y, scale, dx, dresidual, rows, width);
}

}  // namespace giza::kernels
#endif  // HWY_ONCE
