// Forward and backward-data are one product: every output pixel is a sum over kernel taps of a gathered input pixel
// (C floats in a row, NHWC) times that tap's [C, K] matrix. No im2col copy is made: the kernel reads the pixels where
// they lie, through pointers. Strided backward-data falls into stride x stride phases, each such a product over the
// taps that reach it. docs/gemm.md walks through it.
#include "tensor/ops/conv/direct.h"

#include <algorithm>

#include "tensor/dry_run.h"
#include "tensor/ops/channel_moments.h"
#include "tensor/ops/conv/unfold.h"

namespace giza::ops::direct {
namespace {

using kernels::kTileRows;

// out[n, origin + i * out_step] = sum over taps of in[n, i * in_step + tap] * matrix(tap), for i in a grid.
struct Product {
  Tensor in, out;
  std::vector<Tap> taps;
  int64_t grid_h, grid_w;  // output pixels of this product, per image
  int64_t in_step;
  int64_t out_y = 0, out_x = 0, out_step = 1;
  ConvEpilogue epilogue = {};
  const Unfolding* unfolding = nullptr;  // of `in`, whose only tap then is all that a pixel reads
};

// transposed false: columns are output channels, w [K,R,S,C] is read as matrix(tap)[c][k] (forward).
// transposed true: columns are input channels, matrix(tap)[k][c] (backward-data), no transposition in memory.
PackedWeights pack(const Tensor& w, const std::vector<Tap>& taps, bool transposed) {
  const int64_t out_channels = w.dim(0), in_channels = w.dim(3), all_taps = w.dim(1) * w.dim(2);
  PackedWeights packed = {PackedLayout(static_cast<int64_t>(taps.size()), transposed ? out_channels : in_channels,
                                       transposed ? in_channels : out_channels),
                          {},
                          w.shape()};
  const PackedLayout& layout = packed.layout;
  packed.data = Tensor::empty({layout.floats()});
  const int64_t panels = layout.panels(), k_stride = all_taps * w.row_stride();
  parallel_for(static_cast<int64_t>(layout.blocks.size()) * panels, [&](int64_t task) {
    const DepthBlock& block = layout.blocks[static_cast<size_t>(task / panels)];
    const int64_t panel = task % panels, first = panel * layout.width;
    const int64_t stride = layout.panel_columns(panel), valid = std::min(stride, layout.columns - first);
    float* to = packed.data.data() + layout.offset(block, panel);
    for (int64_t t = block.tap_begin; t < block.tap_end; ++t) {
      const float* tap = w.row(taps[static_cast<size_t>(t)].weight);
      for (int64_t c = block.channel_begin; c < block.channel_end; ++c, to += stride) {
        if (transposed) {
          std::copy_n(tap + c * k_stride + first, valid, to);
        } else {
          const float* from = tap + first * k_stride + c;
          for (int64_t j = 0; j < valid; ++j) to[j] = from[j * k_stride];
        }
        std::fill(to + valid, to + stride, 0.0F);
      }
    }
  });
  return packed;
}

// Where the pixels of one task read and write.
struct TaskRows {
  std::vector<const float*> in;  // [tiles][taps][kTileRows]
  std::vector<float*> out;
  std::vector<const float*> residual;
};

// unfolded: what the pixels read, one after the other, or null.
void gather_rows(const Product& product, int64_t begin, int64_t end, const float* zeros, const float* unfolded,
                 TaskRows* rows) {
  const auto taps = static_cast<int64_t>(product.taps.size());
  const int64_t count = end - begin, tiles = (count + kTileRows - 1) / kTileRows;
  rows->in.resize(static_cast<size_t>(tiles * taps * kTileRows));
  rows->out.resize(static_cast<size_t>(tiles * kTileRows));
  rows->residual.resize(static_cast<size_t>(tiles * kTileRows));
  const int64_t out_h = product.out.dim(1), out_w = product.out.dim(2);
  const Tensor& residual = product.epilogue.residual;
  PixelWalk walk(begin, product.grid_h, product.grid_w);
  for (int64_t tile = 0; tile < tiles; ++tile) {
    int64_t n[kTileRows], y[kTileRows], x[kTileRows];
    for (int64_t i = 0; i < kTileRows; ++i) {
      if (const int64_t pixel = tile * kTileRows + i; pixel > 0 && pixel < count) walk.step();
      n[i] = walk.n, y[i] = walk.y, x[i] = walk.x;
      const int64_t row =
          (n[i] * out_h + product.out_y + y[i] * product.out_step) * out_w + product.out_x + x[i] * product.out_step;
      rows->out[static_cast<size_t>(tile * kTileRows + i)] = product.out.row(row);
      if (residual.defined()) rows->residual[static_cast<size_t>(tile * kTileRows + i)] = residual.row(row);
    }
    for (int64_t t = 0; t < taps; ++t) {
      const Tap& tap = product.taps[static_cast<size_t>(t)];
      const float** to = &rows->in[static_cast<size_t>((tile * taps + t) * kTileRows)];
      if (unfolded != nullptr) {
        for (int64_t i = 0; i < kTileRows; ++i) {
          to[i] = unfolded + std::min(tile * kTileRows + i, count - 1) * product.unfolding->stride();
        }
        continue;
      }
      bool any = false;
      for (int64_t i = 0; i < kTileRows; ++i) {
        to[i] = input_pixel(product.in, n[i], y[i] * product.in_step + tap.y, x[i] * product.in_step + tap.x);
        any = any || to[i] != nullptr;
        if (to[i] == nullptr) to[i] = zeros;
      }
      if (!any) to[0] = nullptr;
    }
  }
}

void run(const Product& product, const PackedWeights& weights) {
  const int64_t pictures = product.in.dim(0), pixels = product.grid_h * product.grid_w;
  if (pictures * pixels == 0) return;
  const auto taps = static_cast<int64_t>(product.taps.size());
  const PackedLayout& layout = weights.layout;
  const Tensor zeros = Tensor::zeros({std::max<int64_t>(product.in.channels(), 1)});
  const ProductCut cut = cut_product(pictures, pixels, layout.panels());
  ChannelMoments* moments = product.epilogue.moments;
  if (moments != nullptr) moments->start(pictures, cut.rows.blocks, product.out.channels());
  size_t unfolded_floats = 0;
  if (product.unfolding != nullptr) {
    unfolded_floats = static_cast<size_t>(cut.rows.largest() * product.unfolding->stride());
    announce_scratch(unfolded_floats);
  }
  parallel_for(cut.tasks(), [&](int64_t task) {
    thread_local TaskRows rows;  // reused: a steady loop allocates nothing
    const int64_t begin = cut.rows.begin(task / cut.panel_blocks), end = cut.rows.end(task / cut.panel_blocks);
    float* unfolded = nullptr;
    if (product.unfolding != nullptr) {
      unfolded = thread_scratch(unfolded_floats);
      product.unfolding->copy(begin, end, unfolded);
    }
    gather_rows(product, begin, end, zeros.data(), unfolded, &rows);
    const int64_t panel_begin = task % cut.panel_blocks * cut.panels_per_task;
    const int64_t panel_end = std::min(panel_begin + cut.panels_per_task, layout.panels());
    // Panels outside: their outputs stay in L1 while all blocks of the depth are added.
    for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
      for (const DepthBlock& block : layout.blocks) {
        const bool last = &block == &layout.blocks.back();
        const PackedLayout::Next next = layout.next(block, panel, panel_end);
        kernels::gather_panel({.rows = rows.in.data(),
                               .taps = taps,
                               .tap_begin = block.tap_begin,
                               .tap_end = block.tap_end,
                               .channel_begin = block.channel_begin,
                               .channel_end = block.channel_end,
                               .b = weights.data.data() + layout.offset(block, panel),
                               .out = rows.out.data(),
                               .count = end - begin,
                               .column_begin = panel * layout.width,
                               .column_end = std::min((panel + 1) * layout.width, layout.columns),
                               .accumulate = block.depth_begin > 0,
                               .bias = product.epilogue.bias.data(),
                               .next_b = next.floats > 0 ? weights.data.data() + next.offset : nullptr,
                               .next_floats = next.floats,
                               .residual = last && product.epilogue.residual.defined() ? rows.residual.data() : nullptr,
                               .relu = last && product.epilogue.relu});
      }
    }
    if (moments == nullptr) return;
    cut.rows.for_each_block(begin, end, [&](int64_t block, int64_t first, int64_t last) {
      moments->add(block, rows.out[static_cast<size_t>(first - begin)], product.out.row_stride(), last - first,
                   panel_begin * layout.width, std::min(panel_end * layout.width, layout.columns), /*first=*/true);
    });
  });
  if (moments != nullptr) moments->finish();
}

}  // namespace

std::vector<Tap> forward_taps(const Shape& w, const Conv2dOptions& options) {
  std::vector<Tap> taps;
  for (int64_t r = 0; r < w[1]; ++r) {
    for (int64_t s = 0; s < w[2]; ++s) {
      taps.push_back({r * options.dilation - options.padding, s * options.dilation - options.padding, r * w[2] + s});
    }
  }
  return taps;
}

PackedWeights pack(const Tensor& w, const Conv2dOptions& options) {
  if (!Unfolding::wanted(w.shape())) return pack(w, forward_taps(w.shape(), options), false);
  const Tensor dense = w.dense() ? w : w.clone();
  PackedWeights packed = pack(dense.reshape({w.dim(0), 1, 1, w.numel() / w.dim(0)}), {{0, 0, 0}}, false);
  packed.shape = w.shape();
  return packed;
}

Tensor conv2d(const Tensor& x, const PackedWeights& weights, const ConvEpilogue& epilogue,
              const Conv2dOptions& options) {
  const Shape& w = weights.shape;
  const int64_t p = conv_output_size(x.dim(1), w[1], options), q = conv_output_size(x.dim(2), w[2], options);
  const bool unfolded = Unfolding::wanted(w);
  const Unfolding unfolding(x, w, p, q, options);
  const Product product{.in = x,
                        .out = Tensor::activation({x.dim(0), p, q, w[0]}),
                        .taps = unfolded ? std::vector<Tap>{{0, 0, 0}} : forward_taps(w, options),
                        .grid_h = p,
                        .grid_w = q,
                        .in_step = options.stride,
                        .epilogue = epilogue,
                        .unfolding = unfolded ? &unfolding : nullptr};
  run(product, weights);
  return product.out;
}

Tensor conv2d_backward_input(const Tensor& dy, const Tensor& w, const Shape& x_shape, const Conv2dOptions& options) {
  Tensor dx = Tensor::activation(x_shape);
  const int64_t stride = options.stride;
  for (int64_t py = 0; py < std::min(stride, x_shape[1]); ++py) {
    for (int64_t px = 0; px < std::min(stride, x_shape[2]); ++px) {
      // The pixels (py + stride i, px + stride j) of dx are reached by the taps r with
      // py + stride i = stride p - padding + dilation r for a whole p = i + (py + padding - dilation r) / stride.
      std::vector<Tap> taps;
      for (int64_t r = 0; r < w.dim(1); ++r) {
        for (int64_t s = 0; s < w.dim(2); ++s) {
          const int64_t y = py + options.padding - options.dilation * r;
          const int64_t x = px + options.padding - options.dilation * s;
          if (y % stride == 0 && x % stride == 0) taps.push_back({y / stride, x / stride, r * w.dim(2) + s});
        }
      }
      const Product product{.in = dy,
                            .out = dx,
                            .taps = taps,
                            .grid_h = (x_shape[1] - py + stride - 1) / stride,
                            .grid_w = (x_shape[2] - px + stride - 1) / stride,
                            .in_step = 1,
                            .out_y = py,
                            .out_x = px,
                            .out_step = stride};
      if (taps.empty()) {
        const int64_t per_image = product.grid_h * product.grid_w;
        parallel_ranges(x_shape[0] * per_image, 256, [&](int64_t begin, int64_t end) {
          TaskRows rows;
          gather_rows(product, begin, end, nullptr, nullptr, &rows);
          for (float* row : rows.out) std::fill_n(row, x_shape[3], 0.0F);
        });
      } else {
        run(product, pack(w, taps, true));
      }
    }
  }
  return dx;
}

}  // namespace giza::ops::direct
