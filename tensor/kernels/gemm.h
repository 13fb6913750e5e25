// The product under all convolutions: rows gathered by pointer, times a packed matrix, in register tiles.
#pragma once

#include <cstdint>

namespace giza::kernels {

/// Rows of a register tile: 6 rows of 4 vectors (AVX-512) or 2 vectors (others) keep enough sums in flight to hide the
/// latency of FMA (4 cycles x 2 ports = 8 sums at least) and leave registers for the operands.
constexpr int64_t kTileRows = 6;

/// Depth of a block: one for all SIMD targets, because each block is summed on its own, so that another depth would
/// give other bits. A panel of AVX-512 is then 40 KiB, of 48 in its L1 cache; others are far smaller.
constexpr int64_t kDepth = 160;

/// Shape of the register tile of the SIMD target in use.
struct GemmShape {
  int64_t lanes;  ///< floats of a vector: packed panels are whole vectors wide
  int64_t width;  ///< columns of a full panel
};
GemmShape gemm_shape();

/// One panel of out[m][n] (+)= sum over taps t and channels c of row(m, t)[c] * b[t][c][n].
struct GatherPanel {
  const float* const* rows;  ///< [tiles][taps][kTileRows]: where row m reads tap t; rows of a tile's end repeat a valid
                             ///< one. A null first row: this tap reads only zeros in the whole tile and is skipped.
  int64_t taps;              ///< taps in `rows`
  int64_t tap_begin, tap_end;              ///< this block's part of them
  int64_t channel_begin, channel_end;      ///< this block's channels within each tap
  const float* b;                          ///< [tap_end - tap_begin][channels][columns rounded up to lanes]
  float* const* out;                       ///< [tiles][kTileRows]: first output column of each row, repeated as in rows
  int64_t count;                           ///< rows
  int64_t column_begin, column_end;        ///< output columns of this panel
  bool accumulate = false;                 ///< add to what out holds; otherwise start from bias
  const float* bias = nullptr;             ///< [all output columns] or null for zeros
  const float* next_b = nullptr;           ///< the panel that is read after this one, or null
  int64_t next_floats = 0;                 ///< its size
  const float* const* residual = nullptr;  ///< [tiles][kTileRows]: rows that are added last, or null
  bool relu = false;                       ///< and what is negative then becomes zero
};
void gather_panel(const GatherPanel& panel);

/// Rows in the order that outer_panel reads them: to[tile][pixel][kTileRows] for tiles of channels from `begin` on;
/// behind `end` zeros. Tiles lie outer_tile_stride(pixels) floats apart.
void pack_outer(const float* const* rows, int64_t pixels, int64_t begin, int64_t end, float* to);
/// A line more than a tile takes, so that the tiles of one pixel fall into different cache sets.
inline int64_t outer_tile_stride(int64_t pixels) { return (pixels * kTileRows + 15) / 16 * 16 + 16; }

/// sums[c][n] (+)= sum over pixels p of a[p][c] * b[p][n]: the product of backward-weights.
struct OuterPanel {
  const float* a;  ///< channel c of a pixel lies at (c / kTileRows) * tile_stride + c % kTileRows; readable up to whole
                   ///< tiles of channels
  int64_t tile_stride;               ///< floats from a tile of channels to the next
  int64_t pixel_stride = kTileRows;  ///< floats from a pixel to the next
  int64_t channels;                  ///< c
  int64_t pixels;                    ///< at most 128
  const float* b;                    ///< columns of a pixel, readable up to whole vectors
  int64_t b_stride;                  ///< floats from a pixel to the next
  int64_t columns;                   ///< at most GemmShape::width
  float* sums;                       ///< [channels rounded up to kTileRows][columns rounded up to lanes]
  bool accumulate;                   ///< add to what sums holds
  float* partial = nullptr;          ///< room for as many sums, where they are accumulated
  const float* next_b = nullptr;     ///< pixels that are read next, b_stride apart, or null
  bool continues = false;            ///< go on with the sums over the pixels before these, as if all were of one call
};
void outer_panel(const OuterPanel& panel);

}  // namespace giza::kernels
