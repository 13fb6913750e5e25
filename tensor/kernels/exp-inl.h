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

/// x = e^x for kVectors vectors of x <= 0; NaN stays. Cephes' expf (Moshier): x = q ln 2 + r, a polynomial in r, error
/// below 1.3 ulp; results below the smallest normal number are 0. Highway's Exp would turn NaN into 0.
///
/// The vectors go step by step: each step waits for the one before, and only the chains of several vectors side by side
/// keep the units busy. Vectors one after the other fill the scheduler with instructions that wait.
template <int kVectors, class D, class V = hn::Vec<D>>
HWY_INLINE void exp_nonpositive_in_step(D d, V (&x)[kVectors]) {
  const hn::RebindToSigned<D> di;
  const V lowest = hn::Set(d, -87.33654F), magic = hn::Set(d, 12582912.0F);
  V rest[kVectors], power[kVectors];
  HWY_UNROLL(8)
  for (int j = 0; j < kVectors; ++j) {
    const auto vanishes = hn::Lt(x[j], lowest);
    const V safe = hn::IfThenElse(vanishes, lowest, x[j]);
    // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits: cheaper than a conversion and back.
    const V shifted = hn::MulAdd(safe, hn::Set(d, 1.44269504F), magic), q = hn::Sub(shifted, magic);
    rest[j] = hn::NegMulAdd(q, hn::Set(d, -2.12194440E-4F), hn::NegMulAdd(q, hn::Set(d, 0.693359375F), safe));
    power[j] = hn::IfThenZeroElse(
        vanishes, hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(hn::BitCast(di, shifted), hn::Set(di, 127)))));
    x[j] = hn::Set(d, 1.9875691500E-4F);
  }
  HWY_UNROLL(5)
  for (const float c : {1.3981999507E-3F, 8.3334519073E-3F, 4.1665795894E-2F, 1.6666665459E-1F, 5.0000001201E-1F}) {
    HWY_UNROLL(8)
    for (int j = 0; j < kVectors; ++j) x[j] = hn::MulAdd(x[j], rest[j], hn::Set(d, c));
  }
  HWY_UNROLL(8)
  for (int j = 0; j < kVectors; ++j) {
    const V e = hn::Add(hn::MulAdd(x[j], hn::Mul(rest[j], rest[j]), rest[j]), hn::Set(d, 1.0F));
    x[j] = hn::Mul(e, power[j]);
  }
}

/// The same of one vector.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp_nonpositive(D d, V x) {
  V all[1] = {x};
  exp_nonpositive_in_step<1>(d, all);
  return all[0];
}

}  // namespace HWY_NAMESPACE
}  // namespace giza::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
