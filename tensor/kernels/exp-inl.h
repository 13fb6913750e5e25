// The exponential of kernels. Included once per Highway target.
#if defined(GIZA_TENSOR_KERNELS_EXP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GIZA_TENSOR_KERNELS_EXP_INL_H_
#undef GIZA_TENSOR_KERNELS_EXP_INL_H_
#else
#define GIZA_TENSOR_KERNELS_EXP_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace giza::kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// e^x for x <= 0; NaN stays. Cephes' expf (Moshier): x = q ln 2 + r, a polynomial in r, error below 1.3 ulp; results
/// below the smallest normal number are 0. Highway's Exp would turn NaN into 0.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp_nonpositive(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V lowest = hn::Set(d, -87.33654F);
  // A NaN becomes `lowest` here, and comes back with r.
  const V finite = hn::IfThenElse(hn::Ge(x, lowest), x, lowest);
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits: cheaper than a conversion and back.
  const V magic = hn::Set(d, 12582912.0F), shifted = hn::MulAdd(finite, hn::Set(d, 1.44269504F), magic);
  const V qf = hn::Sub(shifted, magic);
  V r = hn::NegMulAdd(qf, hn::Set(d, 0.693359375F), x);
  r = hn::NegMulAdd(qf, hn::Set(d, -2.12194440E-4F), r);
  V p = hn::Set(d, 1.9875691500E-4F);
  p = hn::MulAdd(p, r, hn::Set(d, 1.3981999507E-3F));
  p = hn::MulAdd(p, r, hn::Set(d, 8.3334519073E-3F));
  p = hn::MulAdd(p, r, hn::Set(d, 4.1665795894E-2F));
  p = hn::MulAdd(p, r, hn::Set(d, 1.6666665459E-1F));
  p = hn::MulAdd(p, r, hn::Set(d, 5.0000001201E-1F));
  const V e = hn::Add(hn::MulAdd(p, hn::Mul(r, r), r), hn::Set(d, 1.0F));
  const V power = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(hn::BitCast(di, shifted), hn::Set(di, 127))));
  return hn::IfThenZeroElse(hn::Lt(x, lowest), hn::Mul(e, power));
}

}  // namespace HWY_NAMESPACE
}  // namespace giza::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
