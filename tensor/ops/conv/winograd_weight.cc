// Winograd convolutions, gradient of the weights: the adjoint of the forward pass. With V = B^T d B of the input tiles
// and W = A dy A^T of the gradient tiles, dU = sum over a picture's tiles of W^T V by position, and dw = G^T dU G,
// summed over pictures.
#include <algorithm>

#include "tensor/dry_run.h"
#include "tensor/kernels/winograd.h"
#include "tensor/ops/conv/winograd.h"
#include "tensor/ops/conv/winograd_tiles.h"
#include "tensor/ops/detail/take_sum.h"
#include "tensor/ops/scratch.h"

namespace giza::ops::winograd {

namespace {

/// Products dU by block of tiles or by picture, position, panel of input channels, output channel.
struct Products {
  int64_t in_channels, out_channels, panels, panel_width, last_columns, rows, position_stride, block_stride;

  Products(int64_t positions, int64_t in, int64_t out)
      : in_channels(in), out_channels(out), rows(round_up(out, kernels::kTileRows)) {
    const kernels::GemmShape gemm = kernels::gemm_shape();
    const int64_t padded = round_up(in, gemm.lanes);
    panel_width = gemm.width;
    panels = (in + gemm.width - 1) / gemm.width;
    last_columns = padded - (panels - 1) * gemm.width;
    position_stride = rows * padded + 16;
    block_stride = positions * position_stride;
  }
  int64_t padded() const { return (panels - 1) * panel_width + last_columns; }
  int64_t panel_columns(int64_t panel) const { return panel + 1 == panels ? last_columns : panel_width; }
  int64_t panel_stride() const { return rows * panel_width; }
  /// Few enough that blocks are better summed each on its own than together.
  bool few_channels() const { return in_channels * out_channels <= 64 * 128; }
  /// Pictures whose products are made before they are transformed back, few enough to stay in a cache: of few channels
  /// those of each block, which may take more.
  int64_t round_pictures(int64_t blocks) const {
    const int64_t bytes = block_stride * static_cast<int64_t>(sizeof(float));
    return std::max<int64_t>(1, few_channels() ? (int64_t{16} << 20) / (blocks * bytes) : (int64_t{4} << 20) / bytes);
  }
};

/// Both operands of the products, and where their tiles come from.
struct Operands {
  int m;
  const Tensor &x, &dy;
  const Tiling& tiling;
  int64_t origin;  // of the input tiles
  const ZeroRow& zeros;
  int64_t out_stride;

  int64_t v_stride(int64_t tiles, const Products& products) const { return position_stride(tiles, products.padded()); }
  int64_t w_stride(int64_t tiles) const { return position_stride(tiles, out_stride); }
  /// Layouts of V and W for so many tiles at `data`.
  kernels::PositionLayout v(int64_t tiles, const Products& products, float* data) const {
    return {data,
            v_stride(tiles, products),
            products.panel_width,
            tiles * products.panel_width,
            products.panel_width,
            products.last_columns};
  }
  kernels::PositionLayout w(int64_t tiles, float* data) const { return tile_major(data, tiles, out_stride); }
  /// Transforms the tiles [begin, end), to the tiles from `first` on.
  void transform(int64_t begin, int64_t end, const kernels::PositionLayout& v, const kernels::PositionLayout& w,
                 int64_t first) const {
    kernels::winograd_input(m, read_tiles(x, tiling, m + 2, origin, begin, end, zeros), v, first);
    kernels::winograd_gradient(m, read_tiles(dy, tiling, m, 0, begin, end, zeros), w, first);
  }
};

/// Adds the products of the tiles [first, last) of both operands' tiles to `to`, whose first picture is `round_begin`.
void multiply_tiles(const PictureCut& cut, const Products& products, int64_t positions, int64_t first, int64_t last,
                    const kernels::PositionLayout& v, const kernels::PositionLayout& w, int64_t round_begin,
                    float* to) {
  // A task multiplies one position by a few panels, which share the gradient's tiles.
  constexpr int64_t kPanels = 4;
  const int64_t groups = (products.panels + kPanels - 1) / kPanels;
  const auto partial = static_cast<size_t>(products.panel_stride());
  announce_scratch(partial);
  parallel_for(positions * groups, [&](int64_t task) {
    const int64_t position = task / groups, first_panel = task % groups * kPanels;
    const int64_t last_panel = std::min(first_panel + kPanels, products.panels);
    for (int64_t panel = first_panel; panel < last_panel; ++panel) {
      const int64_t columns = products.panel_columns(panel);
      cut.for_each_block(first, last, [&](int64_t number, int64_t begin, int64_t end) {
        kernels::outer_panel(
            {.a = w.data + position * w.position_stride + (begin - first) * w.tile_stride,
             .tile_stride = kernels::kTileRows,
             .pixel_stride = w.tile_stride,
             .channels = products.out_channels,
             .pixels = end - begin,
             .b = v.data + position * v.position_stride + panel * v.panel_stride + (begin - first) * columns,
             .b_stride = columns,
             .columns = columns,
             .sums = to + (number / cut.blocks - round_begin) * products.block_stride +
                     position * products.position_stride + panel * products.panel_stride(),
             .accumulate = number % cut.blocks != 0,
             .partial = thread_scratch(partial)});
      });
    }
  });
}

/// Many channels: the tiles of the pictures from `first_picture` on are transformed, at most about `most` at a time,
/// and then multiplied. The products of each picture go to `to`.
void multiply_by_chunks(const Operands& operands, const PictureCut& cut, const Products& products,
                        int64_t first_picture, int64_t pictures, int64_t most, float* to) {
  constexpr int64_t kGroup = 6;  // tiles of a transform task
  const int64_t positions = operands.tiling.positions();
  const int64_t chunk = std::min(pictures * cut.units, round_up(most, cut.block));
  const int64_t v_floats = positions * operands.v_stride(chunk, products);
  const Scratch<float> room(v_floats + positions * operands.w_stride(chunk));
  const kernels::PositionLayout v = operands.v(chunk, products, room.data());
  const kernels::PositionLayout w = operands.w(chunk, room.data() + v_floats);
  const int64_t all_end = (first_picture + pictures) * cut.units;
  for (int64_t first = first_picture * cut.units; first < all_end; first += chunk) {
    const int64_t last = std::min(first + chunk, all_end);
    parallel_ranges(last - first, kGroup,
                    [&](int64_t begin, int64_t end) { operands.transform(first + begin, first + end, v, w, begin); });
    multiply_tiles(cut, products, positions, first, last, v, w, first_picture, to);
  }
}

/// Few channels: a task takes a block of tiles through the transforms and the products, some at a time, in its own
/// cache. The products of each block of the pictures from `first_picture` on go to `to`.
void multiply_by_blocks(const Operands& operands, const PictureCut& cut, const Products& products,
                        int64_t first_picture, int64_t pictures, float* to) {
  const int64_t positions = operands.tiling.positions();
  const int64_t tile_floats = positions * (products.padded() + operands.out_stride);
  const int64_t most = tiles_in_cache(tile_floats, cut.block);
  const int64_t v_floats = positions * operands.v_stride(most, products);
  const auto floats = static_cast<size_t>(v_floats + positions * operands.w_stride(most));
  announce_scratch(floats);
  parallel_for(pictures * cut.blocks, [&](int64_t task) {
    const int64_t picture = first_picture + task / cut.blocks;
    const int64_t begin = picture * cut.units + task % cut.blocks * cut.block;
    const int64_t end = std::min(begin + cut.block, (picture + 1) * cut.units);
    float* scratch = thread_scratch(floats);
    const kernels::PositionLayout v = operands.v(most, products, scratch), w = operands.w(most, scratch + v_floats);
    for (int64_t first = begin; first < end; first += most) {
      const int64_t last = std::min(first + most, end);
      operands.transform(first, last, v, w, 0);
      for (int64_t position = 0; position < positions; ++position) {
        float* sums = to + task * products.block_stride + position * products.position_stride;
        for (int64_t panel = 0; panel < products.panels; ++panel) {
          kernels::outer_panel({.a = w.data + position * w.position_stride,
                                .tile_stride = kernels::kTileRows,
                                .pixel_stride = w.tile_stride,
                                .channels = products.out_channels,
                                .pixels = last - first,
                                .b = v.data + position * v.position_stride + panel * v.panel_stride,
                                .b_stride = products.panel_columns(panel),
                                .columns = products.panel_columns(panel),
                                .sums = sums + panel * products.panel_stride(),
                                .accumulate = false,
                                .continues = first > begin});
        }
      }
    }
  });
}

/// Adds the products of a picture's blocks, one after the other, to those of its first: of filters [begin, end).
void add_blocks(const Products& products, int64_t positions, int64_t blocks, int64_t begin, int64_t end, float* first) {
  for (int64_t block = 1; block < blocks; ++block) {
    for (int64_t position = 0; position < positions; ++position) {
      for (int64_t panel = 0; panel < products.panels; ++panel) {
        const int64_t columns = products.panel_columns(panel);
        float* to = first + position * products.position_stride + panel * products.panel_stride() + begin * columns;
        kernels::add({to, 0}, {to + block * products.block_stride, 0}, {to, 0}, 1, (end - begin) * columns);
      }
    }
  }
}

/// dw = G^T dU G of each picture, added over pictures in the tree. dw [K,3,3,C] of x, whose channels are a part of it
/// or all.
void backward_weight(int m, const Tensor& x, const Tensor& dy, const Tensor& dw, const Conv2dOptions& options) {
  constexpr int64_t kTileBlock = 128;  // of the sum: its panel of V, or half of it, stays in L1 while W passes
  const Tiling tiling(m, dy.dim(0), dy.dim(1), dy.dim(2), options.dilation);
  const int64_t positions = tiling.positions(), image_tiles = tiling.image_tiles();
  const Products products(positions, x.channels(), dy.channels());
  if (tiling.count() == 0) return Tensor(dw).fill(0.0F);
  const PictureCut cut(tiling.images, image_tiles, kTileBlock, 1);
  const ZeroRow zeros(std::max(products.in_channels, products.out_channels));
  const Operands operands{m, x, dy, tiling, -options.padding, zeros, tile_stride(dy.channels())};

  const bool by_blocks = products.few_channels();
  // Transformed tiles of a chunk: of a round of pictures, or of a part of a large picture.
  const int64_t tile_bytes =
      positions * (round_up(products.in_channels, 16) + operands.out_stride) * static_cast<int64_t>(sizeof(float));
  const int64_t most = std::max<int64_t>((int64_t{40} << 20) / tile_bytes, 256);
  const int64_t fitting = by_blocks ? tiling.images : std::max<int64_t>(1, most / image_tiles);
  const int64_t round_pictures = std::min({products.round_pictures(cut.blocks), fitting, tiling.images});
  const int64_t blocks = by_blocks ? cut.blocks : 1, picture_stride = blocks * products.block_stride;
  const Scratch<float> round(round_pictures * picture_stride);
  const TreeCounter counter{tiling.images};
  const int64_t filter = 9 * products.in_channels;
  const Scratch<float> kept(std::max<int64_t>(1, counter.levels() * products.out_channels * filter));
  for (int64_t picture = 0; picture < tiling.images; picture += round_pictures) {
    const int64_t pictures = std::min(round_pictures, tiling.images - picture);
    if (by_blocks) {
      multiply_by_blocks(operands, cut, products, picture, pictures, round.data());
    } else {
      multiply_by_chunks(operands, cut, products, picture, pictures, most, round.data());
    }
    constexpr int64_t kFilters = 8;
    announce_scratch(static_cast<size_t>(kFilters * filter));
    parallel_ranges(products.out_channels, kFilters, [&](int64_t begin, int64_t end) {
      float* sum = thread_scratch(static_cast<size_t>(kFilters * filter));
      const int64_t floats = (end - begin) * filter;
      for (int64_t i = 0; i < pictures; ++i) {
        float* whole = round.data() + i * picture_stride;
        add_blocks(products, positions, blocks, begin, end, whole);
        const kernels::PositionLayout from = {whole,
                                              products.position_stride,
                                              products.panel_width,
                                              products.panel_stride(),
                                              products.panel_width,
                                              products.last_columns};
        kernels::winograd_weight_gradient(m, from, begin, end, products.in_channels, {sum, products.in_channels});
        take_sum(counter, picture + i, sum, floats, kept.data() + begin * filter, products.out_channels * filter);
      }
      if (picture + pictures < tiling.images) return;
      for (int64_t row = 9 * begin; row < 9 * end; ++row) {
        std::copy_n(sum + (row - 9 * begin) * products.in_channels, products.in_channels, dw.row(row));
      }
    });
  }
}

}  // namespace

void conv2d_backward_weight(int m, const Tensor& dw, const Tensor& x, const Tensor& dy, const Conv2dOptions& options) {
  const int64_t channels = x.channels(), part = part_channels(m, dw.shape());
  for (int64_t begin = 0; begin < channels; begin += part) {
    const int64_t end = std::min(begin + part, channels);
    backward_weight(m, x.channel_slice(begin, end), dy, dw.channel_slice(begin, end), options);
  }
}

}  // namespace giza::ops::winograd
