// Winograd convolutions, gradient of the weights: the adjoint of the forward pass. With V = B^T d B of the input tiles
// and W = A dy A^T of the gradient tiles, dU = sum over tiles of W^T V by position, and dw = G^T dU G.
#include "tensor/dry_run.h"
#include "tensor/kernels/winograd.h"
#include "tensor/ops/conv/winograd.h"
#include "tensor/ops/conv/winograd_tiles.h"
#include "tensor/ops/scratch.h"

namespace giza::ops::winograd {

namespace {

// dw [K,3,3,C] of x, whose channels are a part of it or all.
void backward_weight(int m, const Tensor& x, const Tensor& dy, const Tensor& dw, const Conv2dOptions& options) {
  constexpr int64_t kGroup = 6;        // tiles of a transform task
  constexpr int64_t kTileBlock = 128;  // of the sum: its panel of V stays in L1 while the channels of W pass
  const int64_t out_channels = dy.channels(), in_channels = x.channels();
  const Tiling tiling(m, dy.dim(0), dy.dim(1), dy.dim(2), options.dilation);
  const int64_t positions = tiling.positions(), tiles = tiling.count();
  const kernels::GemmShape gemm = kernels::gemm_shape();
  const int64_t panels = (in_channels + gemm.width - 1) / gemm.width;
  const int64_t in_padded = round_up(in_channels, gemm.lanes), out_stride = round_up(out_channels, 16);
  const int64_t last_columns = in_padded - (panels - 1) * gemm.width;

  // Products dU, by position, panel of input channels, output channel.
  const int64_t product_rows = round_up(out_channels, kernels::kTileRows);
  const int64_t product_stride = product_rows * in_padded + 16;
  const Scratch<float> products(positions * product_stride);
  parallel_for(positions, [&](int64_t position) {
    std::fill_n(products.data() + position * product_stride, product_stride, 0.0F);
  });

  // Where a chunk ends, a sum does: so its size must not depend on the SIMD target's vectors.
  const int64_t chunk = even_chunk(std::max<int64_t>(tiles, 1), positions * (round_up(in_channels, 16) + out_stride) *
                                                                    static_cast<int64_t>(sizeof(float)));
  const int64_t v_stride = position_stride(chunk, in_padded), w_stride = position_stride(chunk, out_stride);
  const Scratch<float> room(positions * (v_stride + w_stride));
  const kernels::PositionLayout v = {room.data(), v_stride, gemm.width, chunk * gemm.width, gemm.width, last_columns};
  const kernels::PositionLayout w = tile_major(room.data() + positions * v_stride, chunk, out_stride);
  const ZeroRow zeros(std::max(in_channels, out_channels));

  for (int64_t first = 0; first < tiles; first += chunk) {
    const int64_t count = std::min(chunk, tiles - first);
    parallel_ranges(count, kGroup, [&](int64_t begin, int64_t end) {
      const int64_t tile = first + begin, end_tile = first + end;
      kernels::winograd_input(m, read_tiles(x, tiling, m + 2, -options.padding, tile, end_tile, zeros), v, begin);
      kernels::winograd_gradient(m, read_tiles(dy, tiling, m, 0, tile, end_tile, zeros), w, begin);
    });
    // A task multiplies one position by a few panels, for which it packs the gradient's tiles once.
    constexpr int64_t kPanels = 4;
    const int64_t groups = (panels + kPanels - 1) / kPanels;
    const auto packed_floats =
        static_cast<size_t>(product_rows / kernels::kTileRows * kernels::outer_tile_stride(kTileBlock));
    announce_scratch(packed_floats);
    parallel_for(positions * groups, [&](int64_t task) {
      const int64_t position = task / groups, first_panel = task % groups * kPanels;
      const int64_t last_panel = std::min(first_panel + kPanels, panels);
      const float* a = w.data + position * w.position_stride;
      float* packed = thread_scratch(packed_floats);
      for (int64_t begin = 0; begin < count; begin += kTileBlock) {
        const int64_t block = std::min(kTileBlock, count - begin);
        const float* rows[kTileBlock];
        for (int64_t i = 0; i < block; ++i) rows[i] = a + (begin + i) * w.tile_stride;
        kernels::pack_outer(rows, block, 0, out_channels, packed);
        for (int64_t panel = first_panel; panel < last_panel; ++panel) {
          const int64_t columns = panel + 1 == panels ? last_columns : gemm.width;
          kernels::outer_panel(
              {.a = packed,
               .channels = out_channels,
               .pixels = block,
               .b = v.data + position * v.position_stride + panel * v.panel_stride + begin * columns,
               .columns = columns,
               .sums = products.data() + position * product_stride + panel * product_rows * gemm.width});
        }
      }
    });
  }

  const kernels::PositionLayout from = {products.data(),           product_stride, gemm.width,
                                        product_rows * gemm.width, gemm.width,     last_columns};
  parallel_ranges(out_channels, 8, [&](int64_t begin, int64_t end) {
    kernels::winograd_weight_gradient(m, from, begin, end, in_channels, {dw.data(), dw.row_stride()});
  });
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
