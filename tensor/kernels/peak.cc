// Loops that do nothing useful as fast as the machine can.
#include "tensor/kernels/peak.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/peak.cc"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace giza::kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;

double fma_rounds(int64_t rounds, float* sink) {
  const D d;
  // s = 0.75 s + 0.25 tends to 1: neither overflow nor denormals, which would be slow.
  const auto factor = hn::Set(d, 0.75F);
  const auto term = hn::Set(d, 0.25F);
  auto s0 = hn::Set(d, 0.1F), s1 = hn::Set(d, 0.2F), s2 = hn::Set(d, 0.3F), s3 = hn::Set(d, 0.4F);
  auto s4 = hn::Set(d, 0.5F), s5 = hn::Set(d, 0.6F), s6 = hn::Set(d, 0.7F), s7 = hn::Set(d, 0.8F);
  auto s8 = hn::Set(d, 0.9F), s9 = hn::Set(d, 1.1F), s10 = hn::Set(d, 1.2F), s11 = hn::Set(d, 1.3F);
  for (int64_t i = 0; i < rounds; ++i) {
    s0 = hn::MulAdd(s0, factor, term);
    s1 = hn::MulAdd(s1, factor, term);
    s2 = hn::MulAdd(s2, factor, term);
    s3 = hn::MulAdd(s3, factor, term);
    s4 = hn::MulAdd(s4, factor, term);
    s5 = hn::MulAdd(s5, factor, term);
    s6 = hn::MulAdd(s6, factor, term);
    s7 = hn::MulAdd(s7, factor, term);
    s8 = hn::MulAdd(s8, factor, term);
    s9 = hn::MulAdd(s9, factor, term);
    s10 = hn::MulAdd(s10, factor, term);
    s11 = hn::MulAdd(s11, factor, term);
  }
  const auto left = hn::Add(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)), hn::Add(s4, s5));
  const auto right = hn::Add(hn::Add(hn::Add(s6, s7), hn::Add(s8, s9)), hn::Add(s10, s11));
  *sink = hn::GetLane(hn::SumOfLanes(d, hn::Add(left, right)));
  return 2.0 * 12.0 * static_cast<double>(hn::Lanes(d)) * static_cast<double>(rounds);
}

void stream_copy(const float* x, float* y, int64_t floats) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < floats; i += lanes) hn::Stream(hn::Load(d, x + i), d, y + i);
  hwy::FlushStream();
}

}  // namespace HWY_NAMESPACE
}  // namespace giza::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace giza::kernels {

HWY_EXPORT(fma_rounds);
HWY_EXPORT(stream_copy);

double fma_rounds(int64_t rounds, float* sink) { return HWY_DYNAMIC_DISPATCH(fma_rounds)(rounds, sink); }

void stream_copy(const float* x, float* y, int64_t floats) { HWY_DYNAMIC_DISPATCH(stream_copy)(x, y, floats); }

}  // namespace giza::kernels
#endif  // HWY_ONCE
