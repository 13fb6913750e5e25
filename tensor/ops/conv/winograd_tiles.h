// Tiles of a picture in memory: what the Winograd passes share.
#pragma once

#include <algorithm>

#include "tensor/kernels/winograd.h"
#include "tensor/ops/conv/winograd.h"

namespace giza::ops::winograd {

/// Floats from a position to the next: a line more than the tiles take, so that the positions of one tile fall into
/// different cache sets.
inline int64_t position_stride(int64_t tiles, int64_t stride) { return tiles * stride + 16; }

/// Floats from a tile to the next. For many channels an odd number of lines, so that the tiles of one position fall
/// into different cache sets; for few, the extra line costs more than it wins.
inline int64_t tile_stride(int64_t channels) {
  const int64_t lines = (channels + 15) / 16;
  return 16 * (lines >= 8 ? lines | 1 : lines);
}

/// Tiles whose transforms, of so many floats each, fill an L2 cache, beside what passes through it: in whole register
/// tiles, at least 12 and at most `most`.
inline int64_t tiles_in_cache(int64_t tile_floats, int64_t most) {
  constexpr int64_t kFloats = (900 << 10) / static_cast<int64_t>(sizeof(float));
  return std::min(std::max<int64_t>(kFloats / tile_floats / kernels::kTileRows * kernels::kTileRows, 12), most);
}

/// [position][tile][channel]
inline kernels::PositionLayout tile_major(float* data, int64_t tiles, int64_t stride) {
  return {data, position_stride(tiles, stride), stride, 0, stride, stride};
}

/// What pixels outside of a picture read.
class ZeroRow {
 public:
  explicit ZeroRow(int64_t channels) : row_(Tensor::zeros({std::max<int64_t>(channels, 1)})) {}
  float* data() const { return row_.data(); }

 private:
  Tensor row_;
};

/// Pixels side x side of tiles [begin, end), from output pixel + origin on; outside of the picture zeros. The result
/// stays valid until this thread's next call.
kernels::TilePixels read_tiles(const Tensor& picture, const Tiling& tiling, int side, int64_t origin, int64_t begin,
                               int64_t end, const ZeroRow& zeros);

/// Transforms the products of tiles [begin, end) back, which begin at tile `first` of `products`, and stores the pixels
/// inside of the picture.
void store_tiles(const Tensor& picture, const Tiling& tiling, int64_t begin, int64_t end, const ConvEpilogue& epilogue,
                 const kernels::PositionLayout& products, int64_t first);

/// Adds the numbers just stored to the moments' blocks.
void add_moments(const Tensor& picture, const Tiling& tiling, const PictureCut& cut, int64_t begin, int64_t end,
                 ChannelMoments* moments);

/// Input channels that are taken at a time where the filters w [K,3,3,C] are transformed for one use.
int64_t part_channels(int m, const Shape& w);

/// Tasks per chunk, chunks as even as can be: their transforms fill most of a last-level cache of 48 MB, but have no
/// fewer than 256 tiles, because each chunk reads all filters.
int64_t even_chunk(const PictureCut& tasks, int64_t tile_bytes);

}  // namespace giza::ops::winograd
