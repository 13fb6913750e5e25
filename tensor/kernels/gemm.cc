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

// The wide tile asks the caches for what comes next while it multiplies, a line or two with each step: many at once
// would fill the processor's list of lines under way, and everything would wait. On targets with narrow panels the
// processor foresees enough by itself, and asking takes longer than it saves.
constexpr bool kAsksAhead = kMaxVectors == 4;

// Where the rows of a tile are stored, and what is added to them. Who asks ahead counts to eight: the first rows again.
constexpr int kEnds = kAsksAhead ? 8 : kTileRows;
struct TileEnds {
  float* to[kEnds];
  const float* residual[kEnds];
};

HWY_INLINE TileEnds tile_ends(const GatherPanel& p, int64_t first) {
  TileEnds ends;
  HWY_UNROLL(8)
  for (int i = 0; i < kEnds; ++i) {
    const int64_t row = first + i % kTileRows;
    ends.to[i] = p.out[row] + p.column_begin;
    if (p.residual != nullptr) {
      ends.residual[i] = p.residual[row] + p.column_begin;
    } else if (kAsksAhead) {
      ends.residual[i] = ends.to[i];
    }
  }
  return ends;
}

/// Asks for all lines of a tile's ends at once.
HWY_INLINE void ask_for(const TileEnds& ends, bool residual, int64_t columns) {
  HWY_UNROLL(6)
  for (int i = 0; i < kTileRows; ++i) {
    for (int64_t c = 0; c < columns; c += 16) {
      __builtin_prefetch(ends.to[i] + c, /*rw=*/1);
      if (residual) __builtin_prefetch(ends.residual[i] + c);
    }
  }
}

/// The panel that is read after this one: asked for evenly while this one is read, for L2. Its first tile would wait
/// for memory, and all at once would be more than memory delivers.
class NextPanel {
 public:
  NextPanel(const GatherPanel& p, int64_t depth) : at_(p.next_b) {
    const int64_t askings = (p.count + kTileRows - 1) / kTileRows * depth;
    distance_ = std::min<int64_t>(p.next_floats / std::max<int64_t>(askings, 1) + 1, 16);
    if (at_ == nullptr) at_ = p.b, distance_ = 0;
  }
  /// Once for two steps.
  HWY_INLINE void ask() {
    __builtin_prefetch(at_, /*rw=*/0, /*locality: L2=*/2);
    __builtin_prefetch(at_ + distance_, /*rw=*/0, /*locality: L2=*/2);
    at_ += 2 * distance_;
  }

 private:
  const float* at_;
  int64_t distance_;
};

/// Stores sums + (what is there or the bias) + residual, ReLU of it.
template <int kVectors>
HWY_INLINE void finish_tile(Tile<kTileRows, kVectors>& tile, const GatherPanel& p, const TileEnds& ends) {
  const D d;
  // All loads come before all stores, so that rows which repeat the last one store the same numbers once more.
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
HWY_INLINE void finish_part(const Tile<kTileRows, kVectors>& tile, const GatherPanel& p, const TileEnds& ends,
                            int64_t rows) {
  const D d;
  HWY_ALIGN float sums[kTileRows][kMaxVectors * hn::MaxLanes(D())];
  HWY_UNROLL(6)
  for (int i = 0; i < kTileRows; ++i) {
    HWY_UNROLL(4)
    for (int j = 0; j < kVectors; ++j) hn::Store(tile.sum[i][j], d, sums[i] + j * lanes());
  }
  for (int64_t i = 0; i < rows; ++i) {
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

/// Adds the outer product of six numbers and a row of b.
template <int kVectors>
HWY_INLINE void add_product(Tile<kTileRows, kVectors>& tile, const float* b, float a0, float a1, float a2, float a3,
                            float a4, float a5) {
  V vb[kVectors];
  HWY_UNROLL(4)
  for (int j = 0; j < kVectors; ++j) vb[j] = hn::LoadU(D(), b + j * lanes());
  tile.step(vb, 0, a0);
  tile.step(vb, 1, a1);
  tile.step(vb, 2, a2);
  tile.step(vb, 3, a3);
  tile.step(vb, 4, a4);
  tile.step(vb, 5, a5);
}

template <int kVectors>
HWY_NOINLINE void gather_tiles(const GatherPanel& p) {
  const int64_t channels = p.channel_end - p.channel_begin;
  const int64_t stride = kVectors * lanes();
  const bool whole = p.column_end - p.column_begin == stride;
  // Sixteen channels ask for a line of each row: with 64, all are there when the sums are. The processor does not
  // foresee where a row's outputs lie.
  const bool ends_by_step = kAsksAhead && channels >= 64 && p.tap_end == p.tap_begin + 1;
  NextPanel next_panel(p, (p.tap_end - p.tap_begin) * channels);
  for (int64_t first = 0; first < p.count; first += kTileRows) {
    const float* const* rows = p.rows + first * p.taps;
    const TileEnds ends = tile_ends(p, first);
    if (!ends_by_step) ask_for(ends, p.residual != nullptr, stride);
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
      int64_t c = 0;
      for (; c + 1 < channels; c += 2, b += 2 * stride) {
        if (kAsksAhead) {
          // Two steps ask for a line of one row, sixteen for one of each.
          const int64_t i = c / 2 % 8;
          __builtin_prefetch(ends.to[i] + c % 64 / 16 * 16, /*rw=*/1);
          __builtin_prefetch(ends.residual[i] + c % 64 / 16 * 16);
          next_panel.ask();
        }
        add_product(tile, b, a0[c], a1[c], a2[c], a3[c], a4[c], a5[c]);
        add_product(tile, b + stride, a0[c + 1], a1[c + 1], a2[c + 1], a3[c + 1], a4[c + 1], a5[c + 1]);
      }
      if (c < channels) add_product(tile, b, a0[c], a1[c], a2[c], a3[c], a4[c], a5[c]);
    }
    whole ? finish_tile(tile, p, ends) : finish_part(tile, p, ends, std::min(p.count - first, kTileRows));
  }
}

// from: sums to go on with, or null.
template <int kVectors>
HWY_NOINLINE void outer_tiles(const OuterPanel& p, const float* from) {
  const D d;
  const int64_t stride = kVectors * lanes();
  const float* HWY_RESTRICT first = p.a;
  for (int64_t c = 0; c < p.channels; c += kTileRows, first += p.tile_stride) {
    float* sums = p.sums + c * stride;
    Tile<kTileRows, kVectors> tile;
    if (from != nullptr) {
      tile.load(from + c * stride);
    } else {
      tile.clear();
    }
    const float* HWY_RESTRICT a = first;
    const float* HWY_RESTRICT b = p.b;
    // Each of the first tiles asks for a line of each pixel that comes after b, every tile for the next one's sums.
    const int64_t line = c / kTileRows;
    const bool asks = p.next_b != nullptr && line < kVectors;
    const float* next_b = asks ? p.next_b + line * 16 : b;
    const int64_t next_stride = asks ? p.b_stride : 0;
    const float* next_sums = sums + kTileRows * stride;
    int64_t pixel = 0;
    for (; pixel + 1 < p.pixels; pixel += 2, a += 2 * p.pixel_stride, b += 2 * p.b_stride) {
      if (kAsksAhead) {
        __builtin_prefetch(next_sums + pixel % 64 / 2 * 16, /*rw=*/1);
        __builtin_prefetch(next_b, /*rw=*/0, /*locality: L2=*/2);
        __builtin_prefetch(next_b + next_stride, /*rw=*/0, /*locality: L2=*/2);
        next_b += 2 * next_stride;
      }
      const float* a1 = a + p.pixel_stride;
      add_product(tile, b, a[0], a[1], a[2], a[3], a[4], a[5]);
      add_product(tile, b + p.b_stride, a1[0], a1[1], a1[2], a1[3], a1[4], a1[5]);
    }
    if (pixel < p.pixels) add_product(tile, b, a[0], a[1], a[2], a[3], a[4], a[5]);
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
  with_vectors(p.columns, [&](auto vectors) HWY_ATTR {
    const float* from = p.continues ? p.sums : nullptr;
    // Of a wide panel, 64 pixels are half of an L1 cache of 32 KiB and lie in no more pages than its TLB has entries.
    // The second half goes on with the first one's sums, to the same bits as in one pass.
    constexpr int64_t kPixels = kMaxVectors == 4 ? 64 : 128;
    if (p.pixels <= kPixels) return outer_tiles<vectors>(p, from);
    OuterPanel begin = p, rest = p;
    begin.pixels = kPixels;
    begin.sums = p.accumulate ? p.partial : p.sums;
    begin.accumulate = false;
    rest.a += kPixels * p.pixel_stride;
    rest.b += kPixels * p.b_stride;
    rest.pixels -= kPixels;
    begin.next_b = rest.b;
    outer_tiles<vectors>(begin, from);
    outer_tiles<vectors>(rest, begin.sums);
  });
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
