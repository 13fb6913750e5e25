// A row of 4, 8, 16 or 32 floats in registers, for loops that gather rows. Included once per Highway target.
#if defined(GIZA_TENSOR_KERNELS_FIXED_ROW_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GIZA_TENSOR_KERNELS_FIXED_ROW_INL_H_
#undef GIZA_TENSOR_KERNELS_FIXED_ROW_INL_H_
#else
#define GIZA_TENSOR_KERNELS_FIXED_ROW_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace giza::kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// kWidth floats, in as many vectors as the target needs: 32 are two registers of AVX-512, four of AVX2.
template <int kWidth>
class FixedRow {
  using D = hn::CappedTag<float, kWidth>;
  static constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));

 public:
  // Not left to the compiler, whose own constructor would not be for this target: NEON's vectors have constructors to
  // inline.
  HWY_INLINE FixedRow() {}  // NOLINT(modernize-use-equals-default)
  HWY_INLINE void clear() {
    for (int v = 0; v < kVectors; ++v) row_[v] = hn::Zero(D());
  }
  HWY_INLINE void load(const float* x) {
    for (int v = 0; v < kVectors; ++v) row_[v] = hn::LoadU(D(), x + v * kLanes);
  }
  HWY_INLINE void store(float* y) const {
    for (int v = 0; v < kVectors; ++v) hn::StoreU(row_[v], D(), y + v * kLanes);
  }
  HWY_INLINE void add(const float* x) {
    for (int v = 0; v < kVectors; ++v) row_[v] = hn::Add(row_[v], hn::LoadU(D(), x + v * kLanes));
  }
  HWY_INLINE void add(const FixedRow& x) {
    for (int v = 0; v < kVectors; ++v) row_[v] = hn::Add(row_[v], x.row_[v]);
  }
  /// this += factor * x, fused.
  HWY_INLINE void add_product(float factor, const float* x) {
    const auto factors = hn::Set(D(), factor);
    for (int v = 0; v < kVectors; ++v) row_[v] = hn::MulAdd(factors, hn::LoadU(D(), x + v * kLanes), row_[v]);
  }
  HWY_INLINE void add_product(float factor, const FixedRow& x) {
    const auto factors = hn::Set(D(), factor);
    for (int v = 0; v < kVectors; ++v) row_[v] = hn::MulAdd(factors, x.row_[v], row_[v]);
  }

 private:
  static constexpr int kVectors = kWidth / kLanes;
  hn::Vec<D> row_[kVectors];
};

/// Loop::run<width>(arguments...) for a width of 4, 8, 16 or 32.
template <class Loop, class... Arguments>
HWY_INLINE void with_width(int64_t width, Arguments... arguments) {
  switch (width) {
    case 4:
      return Loop::template run<4>(arguments...);
    case 8:
      return Loop::template run<8>(arguments...);
    case 16:
      return Loop::template run<16>(arguments...);
    default:
      return Loop::template run<32>(arguments...);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace giza::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
