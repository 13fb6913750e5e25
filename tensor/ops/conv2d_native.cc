// Forward and backward-data are one product: every output pixel is a sum over kernel taps of a gathered input pixel
// (C floats in a row, NHWC) times that tap's [C, K] matrix. No im2col copy is made: the kernel reads the pixels where
// they lie, through pointers. Strided backward-data falls into stride x stride phases, each such a product over the taps
// that reach it.
#include "tensor/ops/conv2d_native.h"

#include <algorithm>
#include <vector>

#include "tensor/kernels/gemm.h"
#include "tensor/parallel.h"

namespace giza::ops::native {
namespace {

using kernels::kTileRows;

// One kernel tap as seen from an output pixel: where it reads, and which of the weights it multiplies.
struct Tap {
  int64_t y, x;    // offset in input pixels
  int64_t weight;  // r * S + s
};

// out[n, origin + i * out_step] = sum over taps of in[n, i * in_step + tap] * matrix(tap), for i in a grid.
struct Product {
  Tensor in, out;
  std::vector<Tap> taps;
  int64_t grid_h, grid_w;  // output pixels of this product, per image
  int64_t in_step;
  int64_t out_y = 0, out_x = 0, out_step = 1;
  Tensor bias;  // undefined or [out channels]
};

// Blocks of the depth (taps x channels) that one pass over the output sums up. Fixed by shape and target.
struct DepthBlock {
  int64_t tap_begin, tap_end, channel_begin, channel_end;
  int64_t depth_begin;  // position in the packed matrix
  int64_t depth() const { return (tap_end - tap_begin) * (channel_end - channel_begin); }
};

std::vector<DepthBlock> cut_depth(int64_t taps, int64_t channels, int64_t limit) {
  std::vector<DepthBlock> blocks;
  int64_t depth = 0;
  const auto add = [&](int64_t t0, int64_t t1, int64_t c0, int64_t c1) {
    blocks.push_back({t0, t1, c0, c1, depth});
    depth += blocks.back().depth();
  };
  // Whole taps while several fit, else even parts of each tap's channels.
  const int64_t taps_per_block = std::max<int64_t>(1, limit / std::max<int64_t>(channels, 1));
  const int64_t parts = (channels + limit - 1) / limit;
  if (parts <= 1) {
    const int64_t count = (taps + taps_per_block - 1) / taps_per_block;
    for (int64_t i = 0; i < count; ++i) add(taps * i / count, taps * (i + 1) / count, 0, channels);
  } else {
    for (int64_t t = 0; t < taps; ++t) {
      for (int64_t i = 0; i < parts; ++i) add(t, t + 1, channels * i / parts, channels * (i + 1) / parts);
    }
  }
  return blocks;
}

int64_t round_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

// Weights in the order that the kernel reads them: [depth block][panel][depth][columns of the panel], the last panel
// padded with zeros to whole vectors.
struct PackedWeights {
  Tensor data;
  int64_t columns = 0, padded = 0, width = 0;
  std::vector<DepthBlock> blocks;

  int64_t panels() const { return (columns + width - 1) / width; }
  int64_t panel_columns(int64_t panel) const { return std::min(width, padded - panel * width); }
  float* panel(const DepthBlock& block, int64_t index) const {
    return data.data() + block.depth_begin * padded + index * width * block.depth();
  }
};

// transposed false: columns are output channels, w [K,R,S,C] is read as matrix(tap)[c][k] (forward).
// transposed true: columns are input channels, matrix(tap)[k][c] (backward-data), no transposition in memory.
PackedWeights pack_weights(const Tensor& w, const std::vector<Tap>& taps, bool transposed) {
  const int64_t out_channels = w.dim(0), in_channels = w.dim(3), all_taps = w.dim(1) * w.dim(2);
  const kernels::GemmShape gemm = kernels::gemm_shape();
  PackedWeights packed;
  packed.columns = transposed ? in_channels : out_channels;
  packed.padded = round_up(packed.columns, gemm.lanes);
  packed.width = gemm.width;
  const int64_t depth_channels = transposed ? out_channels : in_channels;
  packed.blocks = cut_depth(static_cast<int64_t>(taps.size()), depth_channels, gemm.depth);
  packed.data = Tensor::empty({static_cast<int64_t>(taps.size()) * depth_channels * packed.padded});
  const int64_t panels = packed.panels();
  parallel_for(static_cast<int64_t>(packed.blocks.size()) * panels, [&](int64_t task) {
    const DepthBlock& block = packed.blocks[static_cast<size_t>(task / panels)];
    const int64_t panel = task % panels, first = panel * packed.width;
    const int64_t stride = packed.panel_columns(panel), valid = std::min(stride, packed.columns - first);
    float* to = packed.panel(block, panel);
    for (int64_t t = block.tap_begin; t < block.tap_end; ++t) {
      const float* tap = w.data() + taps[static_cast<size_t>(t)].weight * in_channels;
      for (int64_t c = block.channel_begin; c < block.channel_end; ++c, to += stride) {
        if (transposed) {
          std::copy_n(tap + c * all_taps * in_channels + first, valid, to);
        } else {
          const float* from = tap + first * all_taps * in_channels + c;
          for (int64_t j = 0; j < valid; ++j) to[j] = from[j * all_taps * in_channels];
        }
        std::fill(to + valid, to + stride, 0.0F);
      }
    }
  });
  return packed;
}

// How a product is cut into tasks: blocks of output pixels, and of panels where the pixels are few.
struct Cut {
  int64_t pixels_per_task, panels_per_task, pixel_blocks, panel_blocks;
};

Cut cut_product(int64_t pixels, int64_t panels) {
  // 120 pixels: their inputs of one depth block and their outputs stay in L2 while all panels pass. At least 32 tasks
  // where there is work for them, so that many threads share it evenly.
  Cut cut;
  cut.pixels_per_task = std::min<int64_t>(120, round_up(std::max<int64_t>(pixels, 1), kTileRows));
  cut.pixel_blocks = (pixels + cut.pixels_per_task - 1) / cut.pixels_per_task;
  const int64_t wanted = std::min(panels, std::max<int64_t>(1, 32 / std::max<int64_t>(cut.pixel_blocks, 1)));
  cut.panels_per_task = (panels + wanted - 1) / wanted;
  cut.panel_blocks = (panels + cut.panels_per_task - 1) / cut.panels_per_task;
  return cut;
}

// Where the pixels of one task read and write.
struct TaskRows {
  std::vector<const float*> in;  // [tiles][taps][kTileRows]
  std::vector<float*> out;
};

const float* input_pixel(const Tensor& in, int64_t n, int64_t y, int64_t x) {
  const int64_t h = in.dim(1), w = in.dim(2);
  return y >= 0 && y < h && x >= 0 && x < w ? in.row((n * h + y) * w + x) : nullptr;
}

void gather_rows(const Product& product, int64_t begin, int64_t end, const float* zeros, TaskRows* rows) {
  const auto taps = static_cast<int64_t>(product.taps.size());
  const int64_t count = end - begin, tiles = (count + kTileRows - 1) / kTileRows;
  rows->in.resize(static_cast<size_t>(tiles * taps * kTileRows));
  rows->out.resize(static_cast<size_t>(count));
  const int64_t out_h = product.out.dim(1), out_w = product.out.dim(2);
  for (int64_t tile = 0; tile < tiles; ++tile) {
    int64_t n[kTileRows], y[kTileRows], x[kTileRows];
    for (int64_t i = 0; i < kTileRows; ++i) {
      const int64_t pixel = std::min(begin + tile * kTileRows + i, end - 1);
      x[i] = pixel % product.grid_w;
      y[i] = pixel / product.grid_w % product.grid_h;
      n[i] = pixel / product.grid_w / product.grid_h;
      if (tile * kTileRows + i < count) {
        rows->out[static_cast<size_t>(tile * kTileRows + i)] = product.out.row(
            (n[i] * out_h + product.out_y + y[i] * product.out_step) * out_w + product.out_x + x[i] * product.out_step);
      }
    }
    for (int64_t t = 0; t < taps; ++t) {
      const Tap& tap = product.taps[static_cast<size_t>(t)];
      const float** to = &rows->in[static_cast<size_t>((tile * taps + t) * kTileRows)];
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
  const int64_t pixels = product.in.dim(0) * product.grid_h * product.grid_w;
  if (pixels == 0) return;
  const auto taps = static_cast<int64_t>(product.taps.size());
  const Tensor zeros = Tensor::zeros({std::max<int64_t>(product.in.channels(), 1)});
  const Cut cut = cut_product(pixels, weights.panels());
  parallel_for(cut.pixel_blocks * cut.panel_blocks, [&](int64_t task) {
    thread_local TaskRows rows;  // reused: a steady loop allocates nothing
    const int64_t begin = task / cut.panel_blocks * cut.pixels_per_task;
    const int64_t end = std::min(begin + cut.pixels_per_task, pixels);
    gather_rows(product, begin, end, zeros.data(), &rows);
    const int64_t panel_begin = task % cut.panel_blocks * cut.panels_per_task;
    const int64_t panel_end = std::min(panel_begin + cut.panels_per_task, weights.panels());
    for (size_t b = 0; b < weights.blocks.size(); ++b) {
      const DepthBlock& block = weights.blocks[b];
      for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
        kernels::gather_panel({.rows = rows.in.data(),
                               .taps = taps,
                               .tap_begin = block.tap_begin,
                               .tap_end = block.tap_end,
                               .channel_begin = block.channel_begin,
                               .channel_end = block.channel_end,
                               .b = weights.panel(block, panel),
                               .out = rows.out.data(),
                               .count = end - begin,
                               .column_begin = panel * weights.width,
                               .column_end = std::min((panel + 1) * weights.width, weights.columns),
                               .accumulate = b > 0,
                               .bias = product.bias.data()});
      }
    }
  });
}

std::vector<Tap> forward_taps(const Shape& w, const Conv2dOptions& options) {
  std::vector<Tap> taps;
  for (int64_t r = 0; r < w[1]; ++r) {
    for (int64_t s = 0; s < w[2]; ++s) {
      taps.push_back({r * options.dilation - options.padding, s * options.dilation - options.padding, r * w[2] + s});
    }
  }
  return taps;
}

// A picture of few channels (the stem's RGB) as one whose pixels hold all R*S*C numbers that an output pixel reads: the
// kernel then runs over one long row instead of nine short ones.
bool should_unfold(const Shape& w) { return w[1] * w[2] > 1 && w[3] < 16; }

Tensor unfold(const Tensor& x, const Shape& w, int64_t p, int64_t q, const Conv2dOptions& options) {
  const int64_t kernel_h = w[1], kernel_w = w[2], channels = w[3];
  // A kernel row's pixels lie side by side in memory: one copy where it is inside the picture.
  const bool side_by_side = options.dilation == 1 && x.row_stride() == channels;
  Tensor result = Tensor::activation({x.dim(0), p, q, kernel_h * kernel_w * channels});
  parallel_for(x.dim(0) * p, [&](int64_t row) {
    const int64_t n = row / p, top = row % p * options.stride - options.padding;
    for (int64_t j = 0; j < q; ++j) {
      const int64_t left = j * options.stride - options.padding;
      const bool inside = left >= 0 && left + options.dilation * (kernel_w - 1) < x.dim(2);
      float* to = result.row(row * q + j);
      for (int64_t r = 0; r < kernel_h; ++r) {
        const int64_t y = top + r * options.dilation;
        if (side_by_side && inside && y >= 0 && y < x.dim(1)) {
          to = std::copy_n(x.row((n * x.dim(1) + y) * x.dim(2) + left), kernel_w * channels, to);
          continue;
        }
        for (int64_t s = 0; s < kernel_w; ++s) {
          const float* from = input_pixel(x, n, y, left + s * options.dilation);
          to = from != nullptr ? std::copy_n(from, channels, to) : std::fill_n(to, channels, 0.0F);
        }
      }
    }
  });
  return result;
}

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv2dOptions& options) {
  const int64_t p = conv_output_size(x.dim(1), w.dim(1), options), q = conv_output_size(x.dim(2), w.dim(2), options);
  if (should_unfold(w.shape())) {
    return conv2d(unfold(x, w.shape(), p, q, options), w.reshape({w.dim(0), 1, 1, w.numel() / w.dim(0)}), bias, {});
  }
  Product product{.in = x,
                  .out = Tensor::activation({x.dim(0), p, q, w.dim(0)}),
                  .taps = forward_taps(w.shape(), options),
                  .grid_h = p,
                  .grid_w = q,
                  .in_step = options.stride,
                  .bias = bias};
  run(product, pack_weights(w, product.taps, false));
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
                            .out_step = stride,
                            .bias = Tensor()};
      if (taps.empty()) {
        const int64_t per_image = product.grid_h * product.grid_w;
        parallel_ranges(x_shape[0] * per_image, 256, [&](int64_t begin, int64_t end) {
          TaskRows rows;
          gather_rows(product, begin, end, nullptr, &rows);
          for (float* row : rows.out) std::fill_n(row, x_shape[3], 0.0F);
        });
      } else {
        run(product, pack_weights(w, taps, true));
      }
    }
  }
  return dx;
}

Tensor conv2d_backward_weight(const Tensor& x, const Tensor& dy, const Shape& w_shape, const Conv2dOptions& options) {
  const int64_t p = dy.dim(1), q = dy.dim(2), out_channels = w_shape[0], in_channels = w_shape[3];
  if (should_unfold(w_shape)) {
    return conv2d_backward_weight(unfold(x, w_shape, p, q, options), dy,
                                  {out_channels, 1, 1, w_shape.numel() / out_channels}, {})
        .reshape(w_shape);
  }
  // dw(tap)[c][k] = sum over output pixels of x(pixel, tap)[c] * dy[pixel][k]. A task owns one panel of k, one part of c
  // and one slice of the pixels, and all taps: it packs a block of dy once and reads x where it lies. Slices make work
  // for many threads where the weights are few; their partial sums are added in the order of their numbers.
  constexpr int64_t kPixelBlock = 128;  // its panel of dy stays in L1 while the channels of x pass
  const std::vector<Tap> taps = forward_taps(w_shape, options);
  const auto tap_count = static_cast<int64_t>(taps.size());
  const kernels::GemmShape gemm = kernels::gemm_shape();
  const int64_t pixels = x.dim(0) * p * q;
  const int64_t panels = (out_channels + gemm.width - 1) / gemm.width;
  // At most 1152 sums of a panel's width: 295 KB with AVX-512, in L2.
  const int64_t parts = (in_channels * tap_count + 1151) / 1152;
  const int64_t part_channels = round_up((in_channels + parts - 1) / parts, kTileRows);
  const int64_t tasks = panels * parts;
  const int64_t slices = std::clamp<int64_t>((32 + tasks - 1) / tasks, 1, std::max<int64_t>(1, pixels / 1024));
  const int64_t slice_pixels = round_up((pixels + slices - 1) / slices, kPixelBlock);
  const Tensor zeros = Tensor::zeros({std::max<int64_t>(in_channels, 1)});
  Tensor dw = Tensor::empty(w_shape);
  const int64_t weights = w_shape.numel();
  const Tensor partials = slices > 1 ? Tensor::empty({slices, weights}) : dw.reshape({1, weights});

  parallel_for(tasks * slices, [&](int64_t task) {
    const int64_t slice = task / tasks, panel = task % panels, part = task / panels % parts;
    const int64_t column_begin = panel * gemm.width;
    const int64_t columns = std::min(gemm.width, out_channels - column_begin);
    const int64_t stride = round_up(columns, gemm.lanes);
    const int64_t channel_begin = std::min(part * part_channels, in_channels);
    const int64_t channel_end = std::min(channel_begin + part_channels, in_channels);
    const int64_t tap_sums = round_up(channel_end - channel_begin, kTileRows) * stride;
    float* sums = thread_scratch(static_cast<size_t>(tap_count * tap_sums + kPixelBlock * stride));
    float* block = sums + tap_count * tap_sums;
    std::fill_n(sums, tap_count * tap_sums, 0.0F);
    const int64_t end = std::min((slice + 1) * slice_pixels, pixels);
    for (int64_t begin = slice * slice_pixels; begin < end; begin += kPixelBlock) {
      const int64_t count = std::min(kPixelBlock, end - begin);
      int64_t n[kPixelBlock], y[kPixelBlock], z[kPixelBlock];  // where tap (0, 0) reads, before its offset
      for (int64_t i = 0; i < count; ++i) {
        const int64_t pixel = begin + i;
        n[i] = pixel / (p * q);
        y[i] = pixel / q % p * options.stride;
        z[i] = pixel % q * options.stride;
        float* to = block + i * stride;
        std::copy_n(dy.row(pixel) + column_begin, columns, to);
        std::fill(to + columns, to + stride, 0.0F);
      }
      for (int64_t t = 0; t < tap_count; ++t) {
        const Tap& tap = taps[static_cast<size_t>(t)];
        const float* rows[kPixelBlock];
        bool any = false;
        for (int64_t i = 0; i < count; ++i) {
          const float* row = input_pixel(x, n[i], y[i] + tap.y, z[i] + tap.x);
          any = any || row != nullptr;
          rows[i] = row != nullptr ? row : zeros.data();
        }
        if (!any) continue;
        kernels::outer_panel({.rows = rows,
                              .pixels = count,
                              .channel_begin = channel_begin,
                              .channel_end = channel_end,
                              .b = block,
                              .columns = columns,
                              .sums = sums + t * tap_sums});
      }
    }
    for (int64_t k = 0; k < columns; ++k) {
      for (int64_t t = 0; t < tap_count; ++t) {
        float* to = partials.row(slice) + ((column_begin + k) * tap_count + t) * in_channels;
        const float* from = sums + t * tap_sums + k;
        for (int64_t c = channel_begin; c < channel_end; ++c, from += stride) to[c] = *from;
      }
    }
  });
  if (slices > 1) {
    parallel_ranges(weights, 4096, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        float sum = partials.row(0)[i];
        for (int64_t slice = 1; slice < slices; ++slice) sum += partials.row(slice)[i];
        dw.data()[i] = sum;
      }
    });
  }
  return dw;
}

}  // namespace giza::ops::native
