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

// Where the rows of a tile are stored, and what is added to them; of rows behind the last, memory that nobody reads.
struct TileEnds {
  float* to[kTileRows];
  const float* residual[kTileRows];
};

/// Stores sums + (what is there or the bias) + residual, ReLU of it.
template <int kVectors>
HWY_INLINE void finish_tile(Tile<kTileRows, kVectors>& tile, const GatherPanel& p, const TileEnds& ends) {
  const D d;
  const auto each = [&](const auto& body) HWY_ATTR {
    HWY_UNROLL(6)
    for (int i = 0; i < kTileRows; ++i) {
      HWY_UNROLL(4)
      for (int j = 0; j < kVectors; ++j) body(i, j, tile.sum[i][j]);
    }
  };
  if (p.accumulate) {
    each([&](int i, int j, V& sum) HWY_ATTR { sum = hn::Add(sum, hn::LoadU(d, ends.to[i] + j * lanes())); });
  } else if (p.bias != nullptr) {
    each([&](int, int j, V& sum) HWY_ATTR { sum = hn::Add(sum, hn::LoadU(d, p.bias + p.column_begin + j * lanes())); });
  }
  if (p.residual != nullptr) {
    each([&](int i, int j, V& sum) HWY_ATTR { sum = hn::Add(sum, hn::LoadU(d, ends.residual[i] + j * lanes())); });
  }
  if (p.relu) each([&](int, int, V& sum) HWY_ATTR { sum = hn::IfThenZeroElse(hn::Lt(sum, hn::Zero(d)), sum); });
  each([&](int i, int j, V& sum) HWY_ATTR { hn::StoreU(sum, d, ends.to[i] + j * lanes()); });
}

/// The same for a panel that is no whole number of vectors wide.
template <int kVectors>
HWY_INLINE void finish_part(const Tile<kTileRows, kVectors>& tile, const GatherPanel& p, const TileEnds& ends) {
  const D d;
  HWY_ALIGN float sums[kTileRows][kMaxVectors * hn::MaxLanes(D())];
  HWY_UNROLL(6)
  for (int i = 0; i < kTileRows; ++i) {
    HWY_UNROLL(4)
    for (int j = 0; j < kVectors; ++j) hn::Store(tile.sum[i][j], d, sums[i] + j * lanes());
  }
  for (int i = 0; i < kTileRows; ++i) {
    for (int64_t c = 0; c < p.column_end - p.column_begin; ++c) {
      float sum = sums[i][c];
      if (p.accumulate) {
        sum += ends.to[i][c];
      } else if (p.bias != nullptr) {
        sum += p.bias[p.column_begin + c];
      }
      if (p.residual != nullptr) sum += ends.residual[i][c];
      ends.to[i][c] = p.relu && sum < 0 ? 0 : sum;
    }
  }
}

template <int kVectors>
HWY_NOINLINE void gather_tiles(const GatherPanel& p) {
  const D d;
  const int64_t channels = p.channel_end - p.channel_begin;
  const int64_t stride = kVectors * lanes();
  const bool whole = p.column_end - p.column_begin == stride;
  // A tile's share of the next panel of b, in lines, where panels are wide: its first tile would wait for memory. Narrow
  // ones the processor foresees; asking for them takes longer than it saves.
  const int64_t lines = kMaxVectors == 4 && p.next_b != nullptr ? p.next_floats / 16 : 0;
  const int64_t lines_per_tile = lines * kTileRows / p.count + 1;
  HWY_ALIGN float nowhere[kMaxVectors * HWY_MAX_BYTES / sizeof(float)] = {};  // of rows behind the last
  int64_t line = 0;
  for (int64_t first = 0; first < p.count; first += kTileRows) {
    const float* const* rows = p.rows + first * p.taps;
    // Asked for here, there when the sums are: the processor does not foresee where a row's outputs lie.
    TileEnds ends;
    for (int i = 0; i < kTileRows; ++i) {
      const bool valid = first + i < p.count;
      ends.to[i] = valid ? p.out[first + i] + p.column_begin : nowhere;
      for (int64_t c = 0; c < stride; c += 16) __builtin_prefetch(ends.to[i] + c, /*rw=*/1);
      if (p.residual == nullptr) continue;
      ends.residual[i] = valid ? p.residual[first + i] + p.column_begin : nowhere;
      for (int64_t c = 0; c < stride; c += 16) __builtin_prefetch(ends.residual[i] + c);
    }
    for (const int64_t end = std::min(line + lines_per_tile, lines); line < end; ++line) {
      __builtin_prefetch(p.next_b + line * 16, /*rw=*/0, /*locality: L2=*/2);
    }
    // Each block of the depth is summed from zero and added to what is there at the end: rounding errors then grow with
    // the block's depth, not with the whole sum's.
    Tile<kTileRows, kVectors> tile;
    tile.clear();
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
    whole ? finish_tile(tile, p, ends) : finish_part(tile, p, ends);
  }
}

template <int kVectors>
HWY_NOINLINE void outer_tiles(const OuterPanel& p) {
  const D d;
  const int64_t stride = kVectors * lanes();
  const float* HWY_RESTRICT first = p.a;
  for (int64_t c = 0; c < p.channels; c += kTileRows, first += p.tile_stride) {
    float* sums = p.sums + c * stride;
    Tile<kTileRows, kVectors> tile;
    if (p.continues) {
      tile.load(sums);
    } else {
      tile.clear();
    }
    const float* HWY_RESTRICT a = first;
    const float* HWY_RESTRICT b = p.b;
    for (int64_t pixel = 0; pixel < p.pixels; ++pixel, a += p.pixel_stride, b += p.b_stride) {
      V vb[kVectors];
      HWY_UNROLL(4)
      for (int j = 0; j < kVectors; ++j) vb[j] = hn::LoadU(d, b + j * lanes());
      HWY_UNROLL(6)
      for (int i = 0; i < kTileRows; ++i) tile.step(vb, i, a[i]);
    }
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
