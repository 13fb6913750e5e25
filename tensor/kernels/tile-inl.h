// Register tiles of the products: kRows rows of kVectors vectors of sums. Included once per Highway target.
#if defined(GIZA_TENSOR_KERNELS_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GIZA_TENSOR_KERNELS_TILE_INL_H_
#undef GIZA_TENSOR_KERNELS_TILE_INL_H_
#else
#define GIZA_TENSOR_KERNELS_TILE_INL_H_
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace giza::kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Vectors of a tile of kTileRows rows. AVX-512 has 32 registers: 6 x 4 sums, 4 of b, 1 broadcast. The others have 16:
/// 6 x 2 sums, 2 of b, 1 broadcast. Highway numbers its targets from the most capable on: what is at most HWY_AVX3 is
/// AVX-512 or what came after it, and Arm's and all other targets have larger numbers than x86's.
constexpr int vectors_of(int64_t target) { return target <= HWY_AVX3 ? 4 : 2; }
constexpr int kMaxVectors = vectors_of(HWY_TARGET);

static_assert(vectors_of(HWY_AVX3) == 4 && vectors_of(HWY_AVX3_DL) == 4);
#ifdef HWY_AVX3_ZEN4
static_assert(vectors_of(HWY_AVX3_ZEN4) == 4);
#endif
#ifdef HWY_AVX3_SPR
static_assert(vectors_of(HWY_AVX3_SPR) == 4);
#endif
#ifdef HWY_AVX10_2
static_assert(vectors_of(HWY_AVX10_2) == 4);
#endif
static_assert(vectors_of(HWY_AVX2) == 2 && vectors_of(HWY_SSE4) == 2 && vectors_of(HWY_NEON) == 2 &&
              vectors_of(HWY_SVE) == 2 && vectors_of(HWY_EMU128) == 2 && vectors_of(HWY_SCALAR) == 2);
// The tile is for registers of 64 bytes wherever it is wide.
static_assert(kMaxVectors == 2 || hn::MaxLanes(hn::ScalableTag<float>()) == 16);

/// The sums of one tile. Loops over constants, which the compiler unrolls so that every sum stays in a register.
template <int kRows, int kVectors>
struct Tile {
  using D = hn::ScalableTag<float>;
  using V = hn::Vec<D>;

  V sum[kRows][kVectors];

  // Not left to the compiler, whose own constructor would not be for this target: NEON's vectors have constructors to
  // inline.
  HWY_INLINE Tile() {}  // NOLINT(modernize-use-equals-default)

  HWY_INLINE void clear() {
    HWY_UNROLL(6)
    for (int i = 0; i < kRows; ++i) {
      HWY_UNROLL(4)
      for (int j = 0; j < kVectors; ++j) sum[i][j] = hn::Zero(D());
    }
  }

  /// The rows lie one behind the other.
  HWY_INLINE void load(const float* from) {
    const D d;
    HWY_UNROLL(6)
    for (int i = 0; i < kRows; ++i) {
      HWY_UNROLL(4)
      for (int j = 0; j < kVectors; ++j) sum[i][j] = hn::LoadU(d, from + (i * kVectors + j) * hn::Lanes(d));
    }
  }

  HWY_INLINE void step(const V (&b)[kVectors], int row, float a) {
    const V broadcast = hn::Set(D(), a);
    HWY_UNROLL(4)
    for (int j = 0; j < kVectors; ++j) sum[row][j] = hn::MulAdd(broadcast, b[j], sum[row][j]);
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace giza::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
