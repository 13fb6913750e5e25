// Sums over rows.
#include "tensor/kernels/reduce.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/reduce.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tensor/kernels/reduce-inl.h"

HWY_BEFORE_NAMESPACE();
namespace giza::kernels {
namespace HWY_NAMESPACE {

void sum_rows(ConstRows x, int64_t rows, int64_t width, double* sums) {
  sum_over_rows<1>(rows, width, sums, 0, [&](auto lanes, int64_t row, int64_t i, VD* s) HWY_ATTR {
    s[0] = hn::Add(s[0], widen(lanes.load(x.row(row) + i)));
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace giza::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace giza::kernels {

HWY_EXPORT(sum_rows);

void sum_rows(ConstRows x, int64_t rows, int64_t width, double* sums) {
  HWY_DYNAMIC_DISPATCH(sum_rows)(x, rows, width, sums);
}

}  // namespace giza::kernels
#endif  // HWY_ONCE
