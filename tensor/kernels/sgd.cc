// The update of stochastic gradient descent: three loads and two stores for three multiply-adds, bound by memory.
#include "tensor/kernels/sgd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/sgd.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace giza::kernels {
namespace HWY_NAMESPACE {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

void sgd_step(float* p, float* v, const float* g, int64_t count, float rate, float momentum, float decay) {
  const D d;
  const V rates = hn::Set(d, rate), momenta = hn::Set(d, momentum), decays = hn::Set(d, decay);
  Columns<D>(count).for_each([&](auto lanes, int64_t i) HWY_ATTR {
    const V weight = lanes.load(p + i);
    const V gradient = hn::MulAdd(decays, weight, lanes.load(g + i));
    const V velocity = hn::MulAdd(momenta, lanes.load(v + i), gradient);
    lanes.store(velocity, v + i);
    lanes.store(hn::NegMulAdd(rates, velocity, weight), p + i);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace giza::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace giza::kernels {

HWY_EXPORT(sgd_step);

void sgd_step(float* p, float* v, const float* g, int64_t count, float rate, float momentum, float decay) {
  HWY_DYNAMIC_DISPATCH(sgd_step)(p, v, g, count, rate, momentum, decay);
}

}  // namespace giza::kernels
#endif  // HWY_ONCE
