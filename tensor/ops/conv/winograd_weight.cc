// Winograd convolutions, gradient of the weights: the adjoint of the forward pass. With V = B^T d B of the input tiles
// and W = A dy A^T of the gradient tiles, dU = sum over a picture's tiles of W^T V by position, and dw = G^T dU G, summed
// over pictures.
#include "tensor/dry_run.h"
#include "tensor/kernels/winograd.h"
#include "tensor/ops/conv/winograd.h"
#include "tensor/ops/conv/winograd_tiles.h"
#include "tensor/ops/detail/take_sum.h"
#include "tensor/ops/scratch.h"

namespace giza::ops::winograd {

namespace {

/// Products dU of the pictures of a round, by picture, position, panel of input channels, output channel.
struct Products {
  int64_t in_channels, out_channels, panels, panel_width, last_columns, rows, position_stride, picture_stride;

  Products(int64_t positions, int64_t in, int64_t out)
      : in_channels(in), out_channels(out), rows(round_up(out, kernels::kTileRows)) {
    const kernels::GemmShape gemm = kernels::gemm_shape();
    const int64_t padded = round_up(in, gemm.lanes);
    panel_width = gemm.width;
    panels = (in + gemm.width - 1) / gemm.width;
    last_columns = padded - (panels - 1) * gemm.width;
    position_stride = rows * padded + 16;
    picture_stride = positions * position_stride;
  }
  int64_t padded() const { return (panels - 1) * panel_width + last_columns; }
  int64_t panel_columns(int64_t panel) const { return panel + 1 == panels ? last_columns : panel_width; }
  int64_t panel_stride() const { return rows * panel_width; }
  /// Pictures whose products are made before they are transformed back: few enough to stay in a cache.
  int64_t round_pictures() const {
    return std::max<int64_t>(1, (int64_t{4} << 20) / static_cast<int64_t>(sizeof(float)) / picture_stride);
  }
};

/// Adds the products of the tiles [first, last) of both operands' tiles to `to`, whose first picture is `round_begin`.
void multiply_tiles(const PictureCut& cut, const Products& products, int64_t positions, int64_t first, int64_t last,
                    const kernels::PositionLayout& v, const kernels::PositionLayout& w, int64_t round_begin,
                    float* to) {
  // A task multiplies one position by a few panels, for which it packs the gradient's tiles once.
  constexpr int64_t kPanels = 4;
  const int64_t groups = (products.panels + kPanels - 1) / kPanels;
  const int64_t packed_floats = products.rows / kernels::kTileRows * kernels::outer_tile_stride(cut.block);
  const int64_t sums_floats = products.rows * std::min(products.padded(), kPanels * products.panel_width);
  announce_scratch(static_cast<size_t>(packed_floats + sums_floats));
  parallel_for(positions * groups, [&](int64_t task) {
    const int64_t position = task / groups, first_panel = task % groups * kPanels;
    const int64_t last_panel = std::min(first_panel + kPanels, products.panels);
    const int64_t columns =
        (last_panel - 1 - first_panel) * products.panel_width + products.panel_columns(last_panel - 1);
    const float* a = w.data + position * w.position_stride;
    float* packed = thread_scratch(static_cast<size_t>(packed_floats + sums_floats));
    float* sums = packed + packed_floats;         // of the picture in work
    thread_local std::vector<const float*> rows;  // reused: a steady loop allocates nothing
    rows.resize(static_cast<size_t>(cut.block));
    cut.for_each_block(first, last, [&](int64_t number, int64_t begin, int64_t end) {
      float* whole = to + (number / cut.blocks - round_begin) * products.picture_stride +
                     position * products.position_stride + first_panel * products.panel_stride();
      const int64_t floats = products.rows * columns;
      const bool begins = number % cut.blocks == 0, ends = (number + 1) % cut.blocks == 0 || end == last;
      float* target = begins && ends ? whole : sums;
      if (!begins && begin == first) std::copy_n(whole, floats, sums);  // begun with tiles before these
      for (int64_t i = begin; i < end; ++i) rows[static_cast<size_t>(i - begin)] = a + (i - first) * w.tile_stride;
      kernels::pack_outer(rows.data(), end - begin, 0, products.out_channels, packed);
      for (int64_t panel = first_panel; panel < last_panel; ++panel) {
        kernels::outer_panel({.a = packed,
                              .channels = products.out_channels,
                              .pixels = end - begin,
                              .b = v.data + position * v.position_stride + panel * v.panel_stride +
                                   (begin - first) * products.panel_columns(panel),
                              .columns = products.panel_columns(panel),
                              .sums = target + (panel - first_panel) * products.panel_stride(),
                              .accumulate = !begins});
      }
      if (ends && target == sums) std::copy_n(sums, floats, whole);
    });
  });
}

/// dw = G^T dU G of each picture, added over pictures in the tree. dw [K,3,3,C] of x, whose channels are a part of it or
/// all.
void backward_weight(int m, const Tensor& x, const Tensor& dy, const Tensor& dw, const Conv2dOptions& options) {
  constexpr int64_t kGroup = 6;        // tiles of a transform task
  constexpr int64_t kTileBlock = 128;  // of the sum: its panel of V stays in L1 while the channels of W pass
  const Tiling tiling(m, dy.dim(0), dy.dim(1), dy.dim(2), options.dilation);
  const int64_t positions = tiling.positions(), image_tiles = tiling.image_tiles();
  const Products products(positions, x.channels(), dy.channels());
  const int64_t out_stride = round_up(dy.channels(), 16);
  if (tiling.count() == 0) return Tensor(dw).fill(0.0F);
  const PictureCut cut(tiling.images, image_tiles, kTileBlock, 1);

  // Transformed tiles of a chunk: of a round of pictures, or of a part of a large picture.
  const int64_t tile_bytes =
      positions * (round_up(products.in_channels, 16) + out_stride) * static_cast<int64_t>(sizeof(float));
  const int64_t most = std::max<int64_t>((int64_t{40} << 20) / tile_bytes, 256);
  const int64_t round_pictures =
      std::min({products.round_pictures(), std::max<int64_t>(1, most / image_tiles), tiling.images});
  const int64_t chunk = std::min(round_pictures * image_tiles, round_up(most, cut.block));
  const int64_t v_stride = position_stride(chunk, products.padded()), w_stride = position_stride(chunk, out_stride);
  const Scratch<float> room(positions * (v_stride + w_stride));
  const kernels::PositionLayout v = {room.data(),          v_stride,
                                     products.panel_width, chunk * products.panel_width,
                                     products.panel_width, products.last_columns};
  const kernels::PositionLayout w = tile_major(room.data() + positions * v_stride, chunk, out_stride);
  const ZeroRow zeros(std::max(products.in_channels, products.out_channels));

  const Scratch<float> round(round_pictures * products.picture_stride);
  const TreeCounter counter{tiling.images};
  const int64_t filter = 9 * products.in_channels;
  const Scratch<float> kept(std::max<int64_t>(1, counter.levels() * products.out_channels * filter));
  for (int64_t picture = 0; picture < tiling.images; picture += round_pictures) {
    const int64_t pictures = std::min(round_pictures, tiling.images - picture);
    for (int64_t first = picture * image_tiles, end = first + pictures * image_tiles; first < end; first += chunk) {
      const int64_t last = std::min(first + chunk, end);
      parallel_ranges(last - first, kGroup, [&](int64_t begin, int64_t stop) {
        kernels::winograd_input(m, read_tiles(x, tiling, m + 2, -options.padding, first + begin, first + stop, zeros),
                                v, begin);
        kernels::winograd_gradient(m, read_tiles(dy, tiling, m, 0, first + begin, first + stop, zeros), w, begin);
      });
      multiply_tiles(cut, products, positions, first, last, v, w, picture, round.data());
    }
    constexpr int64_t kFilters = 8;
    announce_scratch(static_cast<size_t>(kFilters * filter));
    parallel_ranges(products.out_channels, kFilters, [&](int64_t begin, int64_t end) {
      float* sum = thread_scratch(static_cast<size_t>(kFilters * filter));
      const int64_t floats = (end - begin) * filter;
      for (int64_t i = 0; i < pictures; ++i) {
        const kernels::PositionLayout from = {round.data() + i * products.picture_stride,
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
