// Sums along a row, in an order that does not depend on how wide the vectors are. Included once per Highway target.
#if defined(GIZA_TENSOR_KERNELS_LANE_SUMS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GIZA_TENSOR_KERNELS_LANE_SUMS_INL_H_
#undef GIZA_TENSOR_KERNELS_LANE_SUMS_INL_H_
#else
#define GIZA_TENSOR_KERNELS_LANE_SUMS_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

#include "tensor/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace giza::kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Sums of the columns of a row: column i goes to virtual lane i % 16, and the lanes are added in halves. With AVX-512
/// that is one register, with AVX2 two, with four lanes four: the same additions in the same order.
class LaneSums {
  using D = hn::CappedTag<float, 16>;
  using V = hn::Vec<D>;
  static constexpr size_t kLanes = hn::MaxLanes(D()), kVectors = 16 / kLanes;

 public:
  HWY_INLINE LaneSums() {
    HWY_UNROLL(16)
    for (size_t v = 0; v < kVectors; ++v) sums_[v] = hn::Zero(D());
  }

  /// The vector that takes the columns from i on, a multiple of the vector; what it gets in lanes that do not exist
  /// must be 0.
  HWY_INLINE V& at(int64_t i) { return sums_[static_cast<size_t>(i) / kLanes % kVectors]; }

  HWY_INLINE float total() const {
    V folded[kVectors];
    HWY_UNROLL(16)
    for (size_t v = 0; v < kVectors; ++v) folded[v] = sums_[v];
    HWY_UNROLL(4)
    for (size_t half = kVectors / 2; half > 0; half /= 2) {
      HWY_UNROLL(8)
      for (size_t v = 0; v < half; ++v) folded[v] = hn::Add(folded[v], folded[v + half]);
    }
    return fold(D(), folded[0]);
  }

 private:
  template <class DN>
  static HWY_INLINE float fold(DN d, hn::Vec<DN> v) {
#if HWY_TARGET == HWY_SCALAR  // which has no halves
    (void)d;
    return hn::GetLane(v);
#else
    if constexpr (hn::MaxLanes(DN()) > 4) {
      const hn::Half<DN> half;
      return fold(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
    } else {
      static_assert(hn::MaxLanes(DN()) == 4);
      HWY_ALIGN float lanes[4];
      hn::Store(v, d, lanes);
      return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
    }
#endif
  }

  V sums_[kVectors];
};

/// The columns of a row as Columns cuts them, but 16 at a time, so that the vectors of a LaneSums stay in registers.
class LaneColumns {
  using D = hn::CappedTag<float, 16>;
  static constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(D()));

 public:
  explicit HWY_INLINE LaneColumns(int64_t width) : width_(width), tail_(static_cast<size_t>(width % kLanes)) {}

  template <class Body>
  HWY_INLINE void for_each(Body&& body) const {
    const auto blocks = static_cast<size_t>(width_) / 16;
    for (size_t block = 0; block < blocks; ++block) {
      HWY_UNROLL(16)
      for (int64_t j = 0; j < 16; j += kLanes) body(AllLanes<D>(), static_cast<int64_t>(block * 16) + j);
    }
    auto i = static_cast<int64_t>(blocks * 16);
    for (; i + kLanes <= width_; i += kLanes) body(AllLanes<D>(), i);
    if (i < width_) body(tail_, i);
  }

 private:
  int64_t width_;
  FirstLanes<D> tail_;
};

}  // namespace HWY_NAMESPACE
}  // namespace giza::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
