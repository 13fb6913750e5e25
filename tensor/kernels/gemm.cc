// Register tiles of the convolution products, one source for every SIMD target.
#include "tensor/kernels/gemm.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/gemm.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tensor/kernels/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace giza::kernels {
namespace HWY_NAMESPACE {
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

HWY_INLINE int64_t lanes() { return static_cast<int64_t>(hn::Lanes(D())); }

GemmShape gemm_shape() { return {lanes(), kMaxVectors * lanes()}; }

template <int kVectors>
HWY_INLINE void add_row(V (&sum)[kVectors], const float* from, int64_t columns) {
  const D d;
  if (columns == kVectors * lanes()) {
    HWY_UNROLL(4)
    for (int j = 0; j < kVectors; ++j) sum[j] = hn::Add(sum[j], hn::LoadU(d, from + j * lanes()));
    return;
  }
  HWY_ALIGN float whole[kMaxVectors * HWY_MAX_BYTES / sizeof(float)] = {};
  std::memcpy(whole, from, static_cast<size_t>(columns) * sizeof(float));
  HWY_UNROLL(4)
  for (int j = 0; j < kVectors; ++j) sum[j] = hn::Add(sum[j], hn::Load(d, whole + j * lanes()));
}

template <int kVectors>
HWY_INLINE void store_row(const V (&sum)[kVectors], float* to, int64_t columns) {
  const D d;
  if (columns == kVectors * lanes()) {
    HWY_UNROLL(4)
    for (int j = 0; j < kVectors; ++j) hn::StoreU(sum[j], d, to + j * lanes());
    return;
  }
  HWY_ALIGN float whole[kMaxVectors * HWY_MAX_BYTES / sizeof(float)];
  HWY_UNROLL(4)
  for (int j = 0; j < kVectors; ++j) hn::Store(sum[j], d, whole + j * lanes());
  std::memcpy(to, whole, static_cast<size_t>(columns) * sizeof(float));
}

// Asks for a tile's share of the next panel of b: the processor does not foresee it, and the first tile of a panel would
// wait for memory.
HWY_INLINE void prefetch_next(const GatherPanel& p, int64_t first) {
  if (p.next_b == nullptr) return;
  const int64_t lines = p.next_floats / 16, tiles = (p.count + kTileRows - 1) / kTileRows, tile = first / kTileRows;
  for (int64_t line = lines * tile / tiles; line < lines * (tile + 1) / tiles; ++line) {
    __builtin_prefetch(p.next_b + line * 16, /*rw=*/0, /*locality: L2=*/2);
  }
}

template <int kVectors>
HWY_NOINLINE void gather_tiles(const GatherPanel& p) {
  const D d;
  const int64_t channels = p.channel_end - p.channel_begin;
  const int64_t columns = p.column_end - p.column_begin;
  const int64_t stride = kVectors * lanes();
  for (int64_t first = 0; first < p.count; first += kTileRows) {
    const int64_t valid = std::min(kTileRows, p.count - first);
    const float* const* rows = p.rows + first * p.taps;
    // Each block of the depth is summed from zero and added to what is there at the end: rounding errors then grow with
    // the block's depth, not with the whole sum's.
    Tile<kTileRows, kVectors> tile;
    tile.clear();
    prefetch_next(p, first);
    for (int64_t t = p.tap_begin; t < p.tap_end; ++t) {
      const float* const* row = rows + t * kTileRows;
      if (row[0] == nullptr) continue;
      const float* b = p.b + (t - p.tap_begin) * channels * stride;
      const float* HWY_RESTRICT a0 = row[0] + p.channel_begin;
      const float* HWY_RESTRICT a1 = row[1] + p.channel_begin;
      const float* HWY_RESTRICT a2 = row[2] + p.channel_begin;
      const float* HWY_RESTRICT a3 = row[3] + p.channel_begin;
      const float* HWY_RESTRICT a4 = row[4] + p.channel_begin;
      const float* HWY_RESTRICT a5 = row[5] + p.channel_begin;
      for (int64_t c = 0; c < channels; ++c, b += stride) {
        V vb[kVectors];
        HWY_UNROLL(4)
        for (int j = 0; j < kVectors; ++j) vb[j] = hn::LoadU(d, b + j * lanes());
        tile.step(vb, 0, a0[c]);
        tile.step(vb, 1, a1[c]);
        tile.step(vb, 2, a2[c]);
        tile.step(vb, 3, a3[c]);
        tile.step(vb, 4, a4[c]);
        tile.step(vb, 5, a5[c]);
      }
    }
    const bool add = p.accumulate || p.bias != nullptr;
    HWY_UNROLL(6)
    for (int i = 0; i < kTileRows; ++i) {
      if (i >= valid) continue;
      float* to = p.out[first + i] + p.column_begin;
      if (add) add_row(tile.sum[i], p.accumulate ? to : p.bias + p.column_begin, columns);
      if (p.residual != nullptr) add_row(tile.sum[i], p.residual[first + i] + p.column_begin, columns);
      if (p.relu) {
        HWY_UNROLL(4)
        for (int j = 0; j < kVectors; ++j) {
          tile.sum[i][j] = hn::IfThenZeroElse(hn::Lt(tile.sum[i][j], hn::Zero(d)), tile.sum[i][j]);
        }
      }
      store_row(tile.sum[i], to, columns);
    }
  }
}

template <int kVectors>
HWY_NOINLINE void outer_tiles(const OuterPanel& p) {
  const D d;
  const int64_t stride = kVectors * lanes();
  const float* HWY_RESTRICT first = p.a;
  for (int64_t c = 0; c < p.channels; c += kTileRows, first += outer_tile_stride(p.pixels)) {
    Tile<kTileRows, kVectors> tile;
    tile.clear();
    const float* HWY_RESTRICT a = first;
    const float* HWY_RESTRICT b = p.b;
    for (int64_t pixel = 0; pixel < p.pixels; ++pixel, a += kTileRows, b += stride) {
      V vb[kVectors];
      HWY_UNROLL(4)
      for (int j = 0; j < kVectors; ++j) vb[j] = hn::LoadU(d, b + j * lanes());
      HWY_UNROLL(6)
      for (int i = 0; i < kTileRows; ++i) tile.step(vb, i, a[i]);
    }
    float* sums = p.sums + c * stride;
    HWY_UNROLL(6)
    for (int i = 0; i < kTileRows; ++i) {
      HWY_UNROLL(4)
      for (int j = 0; j < kVectors; ++j) {
        float* to = sums + i * stride + j * lanes();
        hn::StoreU(p.accumulate ? hn::Add(hn::LoadU(d, to), tile.sum[i][j]) : tile.sum[i][j], d, to);
      }
    }
  }
}

/// Calls body(integral_constant) with the number of vectors that hold `columns`.
template <int kVectors = 1, class Body>
HWY_INLINE void with_vectors(int64_t columns, const Body& body) {
  if (columns <= kVectors * lanes()) {
    body(std::integral_constant<int, kVectors>());
  } else if constexpr (kVectors < kMaxVectors) {
    with_vectors<kVectors + 1>(columns, body);
  }
}

void gather_panel(const GatherPanel& p) {
  with_vectors(p.column_end - p.column_begin, [&](auto vectors) HWY_ATTR { gather_tiles<vectors>(p); });
}

void outer_panel(const OuterPanel& p) {
  with_vectors(p.columns, [&](auto vectors) HWY_ATTR { outer_tiles<vectors>(p); });
}

}  // namespace HWY_NAMESPACE
}  // namespace giza::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace giza::kernels {
HWY_EXPORT(gemm_shape);
HWY_EXPORT(gather_panel);
HWY_EXPORT(outer_panel);

GemmShape gemm_shape() { return HWY_DYNAMIC_DISPATCH(gemm_shape)(); }
void gather_panel(const GatherPanel& panel) { HWY_DYNAMIC_DISPATCH(gather_panel)(panel); }

void pack_outer(const float* const* rows, int64_t pixels, int64_t begin, int64_t end, float* to) {
  const int64_t stride = outer_tile_stride(pixels), whole = begin + (end - begin) / kTileRows * kTileRows;
  for (int64_t pixel = 0; pixel < pixels; ++pixel, to += kTileRows) {
    const float* row = rows[pixel];
    float* at = to;
    for (int64_t c = begin; c < whole; c += kTileRows, at += stride)
      std::memcpy(at, row + c, sizeof(float) * kTileRows);
    if (whole == end) continue;
    for (int64_t i = 0; i < kTileRows; ++i) at[i] = whole + i < end ? row[whole + i] : 0.0F;
  }
}

void outer_panel(const OuterPanel& panel) { HWY_DYNAMIC_DISPATCH(outer_panel)(panel); }

}  // namespace giza::kernels
#endif
