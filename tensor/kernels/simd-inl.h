// SIMD helpers of all kernels: loops over the columns of a row in whole vectors and one tail, without touching memory
// past the row. Included once per Highway target.
#if defined(GIZA_TENSOR_KERNELS_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GIZA_TENSOR_KERNELS_SIMD_INL_H_
#undef GIZA_TENSOR_KERNELS_SIMD_INL_H_
#else
#define GIZA_TENSOR_KERNELS_SIMD_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace giza::kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Access to all lanes of a vector.
template <class D>
class AllLanes {
 public:
  using T = hn::TFromD<D>;
  using V = hn::Vec<D>;

  HWY_INLINE V load(const T* p) const { return hn::LoadU(D(), p); }
  /// As load, with `fill` in the lanes that do not exist.
  HWY_INLINE V load_or(const T* p, V /*fill*/) const { return load(p); }
  HWY_INLINE void store(V v, T* p) const { hn::StoreU(v, D(), p); }
  /// v with zeros in the lanes that do not exist.
  HWY_INLINE V keep(V v) const { return v; }
  /// The mask without the lanes that do not exist.
  HWY_INLINE hn::Mask<D> keep(hn::Mask<D> mask) const { return mask; }
};

/// Access to the first lanes only, at least one and not all. Memory behind the others is never touched.
template <class D>
class FirstLanes {
 public:
  using T = hn::TFromD<D>;
  using V = hn::Vec<D>;

  explicit HWY_INLINE FirstLanes(size_t lanes) : mask_(hn::FirstN(D(), lanes)), lanes_(lanes) {}

  HWY_INLINE V load(const T* p) const {
#if HWY_TARGET <= HWY_AVX2
    return hn::MaskedLoad(mask_, D(), p);
#else
    // These targets have no masked access: Highway would read the whole vector.
    HWY_ALIGN T lanes[HWY_MAX_BYTES / sizeof(T)] = {};
    for (size_t i = 0; i < lanes_; ++i) lanes[i] = p[i];
    return hn::Load(D(), lanes);
#endif
  }
  HWY_INLINE V load_or(const T* p, V fill) const { return hn::IfThenElse(mask_, load(p), fill); }
  HWY_INLINE void store(V v, T* p) const {
#if HWY_TARGET <= HWY_AVX2
    hn::BlendedStore(v, mask_, D(), p);
#else
    HWY_ALIGN T lanes[HWY_MAX_BYTES / sizeof(T)] = {};
    hn::Store(v, D(), lanes);
    for (size_t i = 0; i < lanes_; ++i) p[i] = lanes[i];
#endif
  }
  HWY_INLINE V keep(V v) const { return hn::IfThenElseZero(mask_, v); }
  HWY_INLINE hn::Mask<D> keep(hn::Mask<D> mask) const { return hn::And(mask_, mask); }

 private:
  hn::Mask<D> mask_;
  size_t lanes_;
};

/// The columns of a row of `width` elements, cut into vectors. Built once, before the loop over rows.
template <class D>
class Columns {
 public:
  explicit HWY_INLINE Columns(int64_t width)
      : whole_(width / kLanes * kLanes), rest_(width - whole_), tail_(static_cast<size_t>(rest_)) {}

  /// Calls body(lanes, i) for each vector of columns that begins at column i; `lanes` loads and stores it.
  /// Lambdas need HWY_ATTR before their body (clang compiles them for the base target otherwise).
  template <class Body>
  HWY_INLINE void for_each(Body&& body) const {
    for (int64_t i = 0; i < whole_; i += kLanes) body(AllLanes<D>(), i);
    if (rest_ != 0) body(tail_, whole_);
  }

  static constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(D()));

 private:
  int64_t whole_, rest_;
  FirstLanes<D> tail_;
};

}  // namespace HWY_NAMESPACE
}  // namespace giza::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
