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
/// 6 x 2 sums, 2 of b, 1 broadcast.
constexpr int kMaxVectors = HWY_TARGET == HWY_AVX3 ? 4 : 2;

/// The sums of one tile. Loops over constants, which the compiler unrolls so that every sum stays in a register.
template <int kRows, int kVectors>
struct Tile {
  using D = hn::ScalableTag<float>;
  using V = hn::Vec<D>;

  V sum[kRows][kVectors];

  HWY_INLINE void clear() {
#pragma GCC unroll 6
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) sum[i][j] = hn::Zero(D());
    }
  }

  HWY_INLINE void step(const V (&b)[kVectors], int row, float a) {
    const V broadcast = hn::Set(D(), a);
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) sum[row][j] = hn::MulAdd(broadcast, b[j], sum[row][j]);
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace giza::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
