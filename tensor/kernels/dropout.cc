// The loop of dropout by elements.
#include "tensor/kernels/dropout.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/dropout.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace giza::kernels {
namespace HWY_NAMESPACE {

using D = hn::ScalableTag<float>;
using DU = hn::Rebind<uint32_t, D>;
using V = hn::Vec<D>;
using VU = hn::Vec<DU>;

/// The high words of a * b; the low ones are a plain product.
HWY_INLINE VU high_product(VU a, VU b) {
  const DU d;
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
  HWY_ALIGN uint32_t x[HWY_MAX_BYTES / 4], y[HWY_MAX_BYTES / 4];
  hn::Store(a, d, x);
  hn::Store(b, d, y);
  for (size_t i = 0; i < hn::Lanes(d); ++i) x[i] = static_cast<uint32_t>(uint64_t{x[i]} * y[i] >> 32);
  return hn::Load(d, x);
#else
  using D64 = hn::Repartition<uint64_t, DU>;
  // Products of the even lanes, and of the odd ones brought down to even places.
  const auto even = hn::BitCast(d, hn::ShiftRight<32>(hn::MulEven(a, b)));
  const auto down = [&](VU v) HWY_ATTR { return hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(D64(), v))); };
  const auto odd = hn::BitCast(d, hn::MulEven(down(a), down(b)));
  return hn::OddEven(odd, even);
#endif
}

/// The draws of the blocks first, first + 1, ... of as many as a vector has lanes (tensor/random.cc: the same rounds).
HWY_INLINE void draws(const Random::Stream& stream, uint32_t first, uint32_t* to) {
  const DU d;
  VU c0 = hn::Set(d, stream.counter[0]), c1 = hn::Set(d, stream.counter[1]), c2 = hn::Set(d, stream.counter[2]);
  VU c3 = hn::Iota(d, first);
  VU k0 = hn::Set(d, static_cast<uint32_t>(stream.key)), k1 = hn::Set(d, static_cast<uint32_t>(stream.key >> 32));
  const VU m0 = hn::Set(d, 0xD2511F53), m1 = hn::Set(d, 0xCD9E8D57);
  for (int round = 0; round < 10; ++round) {
    const VU high0 = high_product(m0, c0), high1 = high_product(m1, c2), low0 = hn::Mul(m0, c0), low1 = hn::Mul(m1, c2);
    c0 = hn::Xor(hn::Xor(high1, c1), k0);
    c2 = hn::Xor(hn::Xor(high0, c3), k1);
    c1 = low1;
    c3 = low0;
    k0 = hn::Add(k0, hn::Set(d, 0x9E3779B9));
    k1 = hn::Add(k1, hn::Set(d, 0xBB67AE85));
  }
  hn::StoreInterleaved4(c0, c1, c2, c3, d, to);
}

void dropout(ConstRows x, int64_t first, const Random::Stream& stream, float p, float keep, Rows y, int64_t rows,
             int64_t width) {
  constexpr int64_t kLanes = Columns<D>::kLanes, kDraws = 4 * kLanes;
  const V least = hn::Set(D(), p), factor = hn::Set(D(), keep), unit = hn::Set(D(), 0x1p-24F);
  HWY_ALIGN uint32_t bits[kDraws];
  int64_t begin = -kDraws;  // the element of bits[0]
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < width;) {
      const int64_t element = first + r * width + i;
      if (element >= begin + kDraws) {
        begin = element / kDraws * kDraws;
        draws(stream, static_cast<uint32_t>(begin / 4), bits);
      }
      const int64_t count = std::min({width - i, begin + kDraws - element, kLanes});
      const FirstLanes<D> lanes(static_cast<size_t>(count));
      HWY_ALIGN uint32_t mine[kLanes] = {};
      std::copy_n(bits + (element - begin), count, mine);
      const VU high = hn::ShiftRight<8>(hn::Load(DU(), mine));
      const V uniform = hn::Mul(hn::ConvertTo(D(), hn::BitCast(hn::RebindToSigned<DU>(), high)), unit);
      lanes.store(hn::IfThenZeroElse(hn::Lt(uniform, least), hn::Mul(lanes.load(x.row(r) + i), factor)), y.row(r) + i);
      i += count;
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace giza::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace giza::kernels {

HWY_EXPORT(dropout);

void dropout(ConstRows x, int64_t first, const Random::Stream& stream, float p, float keep, Rows y, int64_t rows,
             int64_t width) {
  HWY_DYNAMIC_DISPATCH(dropout)(x, first, stream, p, keep, y, rows, width);
}

}  // namespace giza::kernels
#endif  // HWY_ONCE
