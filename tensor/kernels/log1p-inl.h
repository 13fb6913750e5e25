// The logarithm of a softmax's sum. Included once per Highway target.
#if defined(GIZA_TENSOR_KERNELS_LOG1P_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GIZA_TENSOR_KERNELS_LOG1P_INL_H_
#undef GIZA_TENSOR_KERNELS_LOG1P_INL_H_
#else
#define GIZA_TENSOR_KERNELS_LOG1P_INL_H_
#endif

#include <hwy/highway.h>
// Needs the target of highway.h.
#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace giza::kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// log(1 + x) for x >= 0; NaN stays.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V log1p_nonnegative(D d, V x) {
  const V safe = hn::IfThenElseZero(hn::Ge(x, hn::Zero(d)), x);
  return hn::IfThenElse(hn::IsNaN(x), x, hn::Log1p(d, safe));
}

}  // namespace HWY_NAMESPACE
}  // namespace giza::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
