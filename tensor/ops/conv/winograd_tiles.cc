// Where the pixels of tiles lie.
#include "tensor/ops/conv/winograd_tiles.h"

#include <algorithm>

#include "tensor/ops/channel_moments.h"

namespace giza::ops::winograd {
namespace {

std::vector<int64_t> tile_starts(int64_t size, int64_t m, int64_t dilation) {
  std::vector<int64_t> starts;
  for (int64_t phase = 0; phase < std::min(dilation, size); ++phase) {
    for (int64_t first = phase; first < size; first += m * dilation) starts.push_back(first);
  }
  return starts;
}

/// Calls body(slot, pixel row or -1 outside) for the side x side pixels of each tile.
template <class Body>
void for_each_pixel(const Tensor& picture, const Tiling& tiling, int side, int64_t origin, int64_t begin, int64_t end,
                    const Body& body) {
  const int64_t h = picture.dim(1), w = picture.dim(2), d = tiling.dilation;
  const auto rows = static_cast<int64_t>(tiling.rows.size()), columns = static_cast<int64_t>(tiling.columns.size());
  int64_t slot = 0;
  for (int64_t tile = begin; tile < end; ++tile) {
    const int64_t n = tile / (rows * columns);
    const int64_t top = tiling.rows[static_cast<size_t>(tile / columns % rows)] + origin;
    const int64_t left = tiling.columns[static_cast<size_t>(tile % columns)] + origin;
    for (int64_t i = 0; i < side; ++i) {
      const int64_t y = top + i * d;
      const bool inside = y >= 0 && y < h;
      for (int64_t j = 0; j < side; ++j) {
        const int64_t x = left + j * d;
        body(slot++, inside && x >= 0 && x < w ? (n * h + y) * w + x : -1);
      }
    }
  }
}

}  // namespace

Tiling::Tiling(int tile, int64_t all_images, int64_t p, int64_t q, int64_t d)
    : m(tile), images(all_images), dilation(d), rows(tile_starts(p, tile, d)), columns(tile_starts(q, tile, d)) {}

kernels::TilePixels read_tiles(const Tensor& picture, const Tiling& tiling, int side, int64_t origin, int64_t begin,
                               int64_t end, const ZeroRow& zeros) {
  thread_local std::vector<float*> pointers;
  pointers.resize(static_cast<size_t>((end - begin) * side * side));
  for_each_pixel(picture, tiling, side, origin, begin, end, [&](int64_t slot, int64_t row) {
    pointers[static_cast<size_t>(slot)] = row >= 0 ? picture.row(row) : zeros.data();
  });
  return {pointers.data(), end - begin, picture.channels()};
}

void store_tiles(const Tensor& picture, const Tiling& tiling, int64_t begin, int64_t end, const ConvEpilogue& epilogue,
                 const kernels::PositionLayout& products, int64_t first) {
  thread_local std::vector<float*> pointers;
  thread_local std::vector<const float*> residual;
  const auto count = static_cast<size_t>((end - begin) * tiling.m * tiling.m);
  pointers.resize(count);
  residual.resize(count);
  const bool has_residual = epilogue.residual.defined();
  for_each_pixel(picture, tiling, tiling.m, 0, begin, end, [&](int64_t slot, int64_t row) {
    pointers[static_cast<size_t>(slot)] = row >= 0 ? picture.row(row) : nullptr;
    residual[static_cast<size_t>(slot)] = row >= 0 && has_residual ? epilogue.residual.row(row) : nullptr;
  });
  kernels::winograd_output(tiling.m, products, first, {pointers.data(), end - begin, picture.channels()},
                           {epilogue.bias.data(), has_residual ? residual.data() : nullptr, epilogue.relu});
}

void add_moments(const Tensor& picture, const Tiling& tiling, const PictureCut& cut, int64_t begin, int64_t end,
                 ChannelMoments* moments) {
  const int64_t h = picture.dim(1), w = picture.dim(2), d = tiling.dilation;
  const auto rows = static_cast<int64_t>(tiling.rows.size()), columns = static_cast<int64_t>(tiling.columns.size());
  cut.for_each_block(begin, end, [&](int64_t block, int64_t block_begin, int64_t block_end) {
    bool first = true;
    for (int64_t tile = block_begin; tile < block_end; ++tile) {
      const int64_t n = tile / (rows * columns), left = tiling.columns[static_cast<size_t>(tile % columns)];
      int64_t y = tiling.rows[static_cast<size_t>(tile / columns % rows)];
      const int64_t count = std::min<int64_t>(tiling.m, (w - left + d - 1) / d);
      for (int i = 0; i < tiling.m && y < h; ++i, y += d, first = false) {
        moments->add(block, picture.row((n * h + y) * w + left), d * picture.row_stride(), count, 0, picture.channels(),
                     first);
      }
    }
  });
}

int64_t even_chunk(const PictureCut& tasks, int64_t tile_bytes) {
  const int64_t tiles = tasks.pictures * tasks.units, most = std::max<int64_t>((int64_t{40} << 20) / tile_bytes, 256);
  const int64_t chunks = std::max<int64_t>(1, (tiles + most - 1) / most);
  return std::max<int64_t>(1, (tasks.tasks() + chunks - 1) / chunks);
}

}  // namespace giza::ops::winograd
