// Loops of the L2 norm across channels.
#include "tensor/kernels/l2_normalize.h"

#include <algorithm>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/l2_normalize.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tensor/kernels/lane_sums-inl.h"
#include "tensor/kernels/reduce-inl.h"
#include "tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace giza::kernels {
namespace HWY_NAMESPACE {

// Vectors of at most 16 lanes, so that 16 virtual ones are a whole number of them.
using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;

/// The sum of terms(lanes, i) over the columns of a row. Terms of lanes that do not exist must be 0. add(lanes, i, sum)
/// is sum + term, rounded once.
template <class Add>
HWY_INLINE float sum_of_row(const LaneColumns& columns, const Add& add) {
  LaneSums sums;
  columns.for_each([&](auto lanes, int64_t i) HWY_ATTR { sums.at(i) = add(lanes, i, sums.at(i)); });
  return sums.total();
}

void l2_normalize(ConstRows x, const float* gain, float eps, float* inverse_norms, Rows y, int64_t rows,
                  int64_t width) {
  const LaneColumns columns(width);
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = x.row(r);
    const float squares = sum_of_row(columns, [&](auto lanes, int64_t i, V sum) HWY_ATTR {
      const V v = lanes.load(from + i);
      return hn::MulAdd(v, v, sum);
    });
    const float inverse = 1.0F / std::sqrt(eps + squares);
    inverse_norms[r] = inverse;
    if (y.data == nullptr) continue;
    const V inverses = hn::Set(D(), inverse);
    columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
      lanes.store(hn::Mul(hn::Mul(lanes.load(from + i), inverses), lanes.load(gain + i)), y.row(r) + i);
    });
  }
}

void l2_normalize_backward(ConstRows dy, ConstRows x, const float* gain, const float* inverse_norms, Rows dx,
                           int64_t rows, int64_t width) {
  const LaneColumns columns(width);
  for (int64_t r = 0; r < rows; ++r) {
    const float *from = x.row(r), *gradient = dy.row(r);
    const float dot = sum_of_row(columns, [&](auto lanes, int64_t i, V sum) HWY_ATTR {
      return hn::MulAdd(hn::Mul(lanes.load(gradient + i), lanes.load(gain + i)), lanes.load(from + i), sum);
    });
    const float inverse = inverse_norms[r];
    const V inverses = hn::Set(D(), inverse), share = hn::Set(D(), dot * inverse * inverse);
    columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
      const V scaled = hn::Mul(lanes.load(gradient + i), lanes.load(gain + i));
      lanes.store(hn::Mul(hn::NegMulAdd(lanes.load(from + i), share, scaled), inverses), dx.row(r) + i);
    });
  }
}

void l2_normalize_gain(ConstRows dy, ConstRows x, const float* inverse_norms, int64_t rows, int64_t width,
                       double* sums) {
  sum_over_rows<1>(rows, width, sums, 0, [&](auto lanes, int64_t row, int64_t i, VD* s) HWY_ATTR {
    const VD unit = hn::Mul(widen(lanes.load(x.row(row) + i)), hn::Set(DD(), static_cast<double>(inverse_norms[row])));
    s[0] = hn::MulAdd(widen(lanes.load(dy.row(row) + i)), unit, s[0]);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace giza::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace giza::kernels {

HWY_EXPORT(l2_normalize);
HWY_EXPORT(l2_normalize_backward);
HWY_EXPORT(l2_normalize_gain);

void l2_normalize(ConstRows x, const float* gain, float eps, float* inverse_norms, Rows y, int64_t rows,
                  int64_t width) {
  HWY_DYNAMIC_DISPATCH(l2_normalize)(x, gain, eps, inverse_norms, y, rows, width);
}

void l2_normalize_backward(ConstRows dy, ConstRows x, const float* gain, const float* inverse_norms, Rows dx,
                           int64_t rows, int64_t width) {
  HWY_DYNAMIC_DISPATCH(l2_normalize_backward)(dy, x, gain, inverse_norms, dx, rows, width);
}

void l2_normalize_gain(ConstRows dy, ConstRows x, const float* inverse_norms, int64_t rows, int64_t width,
                       double* sums) {
  HWY_DYNAMIC_DISPATCH(l2_normalize_gain)(dy, x, inverse_norms, rows, width, sums);
}

}  // namespace giza::kernels
#endif  // HWY_ONCE
