// Sums over rows in double, one per column. Included once per Highway target.
#if defined(GIZA_TENSOR_KERNELS_REDUCE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GIZA_TENSOR_KERNELS_REDUCE_INL_H_
#undef GIZA_TENSOR_KERNELS_REDUCE_INL_H_
#else
#define GIZA_TENSOR_KERNELS_REDUCE_INL_H_
#endif

#include <type_traits>

#include "tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace giza::kernels {
namespace HWY_NAMESPACE {

using DD = hn::ScalableTag<double>;
using VD = hn::Vec<DD>;
/// As many floats as a vector holds doubles: converting with the load costs no shuffles.
using DHalf = hn::Rebind<float, DD>;
using VHalf = hn::Vec<DHalf>;

HWY_INLINE VD widen(VHalf v) { return hn::PromoteTo(DD(), v); }

/// For each column i and k < kSums: sums[k * sum_stride + i] += terms of all rows. terms(lanes, row, i, s) adds one
/// row's terms to s[k]. sums is padded to whole vectors. Four rows at a time, because otherwise loading and storing the
/// sums (in L1) would take longer than the arithmetic; and rows rather than columns outside, because memory likes to be
/// read in its own order.
template <int kSums, class Terms>
HWY_INLINE void sum_over_rows(int64_t rows, int64_t width, double* sums, int64_t sum_stride, const Terms& terms) {
  constexpr int64_t kRows = 4;
  const Columns<DHalf> columns(width);
  const auto some_rows = [&](int64_t row, auto count) HWY_ATTR {
    columns.for_each([&](auto lanes, int64_t i) HWY_ATTR {
      VD s[kSums];
      for (int k = 0; k < kSums; ++k) s[k] = hn::LoadU(DD(), sums + k * sum_stride + i);
      for (int64_t r = 0; r < count; ++r) terms(lanes, row + r, i, s);
      for (int k = 0; k < kSums; ++k) hn::StoreU(s[k], DD(), sums + k * sum_stride + i);
    });
  };
  int64_t row = 0;
  for (; row + kRows <= rows; row += kRows) some_rows(row, std::integral_constant<int64_t, kRows>());
  for (; row < rows; ++row) some_rows(row, std::integral_constant<int64_t, 1>());
}

}  // namespace HWY_NAMESPACE
}  // namespace giza::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
