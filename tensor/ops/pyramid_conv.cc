// Convolution over a feature map and upsampled pyramid maps: products on the cells of the maps, then an interpolation.
#include "tensor/ops/pyramid_conv.h"

#include <algorithm>

#include "tensor/base/check.h"
#include "tensor/dry_run.h"
#include "tensor/kernels/pyramid_conv.h"
#include "tensor/ops/conv/pyramid_map.h"
#include "tensor/ops/cut.h"
#include "tensor/ops/detail/take_sum.h"
#include "tensor/ops/picture_cut.h"
#include "tensor/ops/scratch.h"
#include "tensor/profile/profile.h"

namespace giza::ops {
namespace {

/// Output channels whose slots are made and used at once: 36 slots of 128 floats are 18 KB, which stay in L1.
constexpr int64_t kChannels = 128;
/// Output channels of a task of the products, forward and backward.
constexpr int64_t kForwardBlock = 16, kBackwardBlock = 32;

void check_maps(const char* op, std::span<const Tensor> maps, const Shape& w, int64_t batch, int64_t own_channels) {
  int64_t channels = own_channels;
  for (const Tensor& map : maps) {
    check(map.rank() == 4 && map.dim(0) == batch && map.dim(1) >= 1 && map.dim(2) >= 1,
          "{}: map {} is no pyramid map of {} items", op, map.shape(), batch);
    channels += map.channels();
  }
  check(!maps.empty(), "{}: no pyramid maps for weight {}", op, w);
  check(w.rank() == 4 && w.numel() > 0 && w[3] == channels, "{}: weight {} for {} channels in all", op, w, channels);
}

profile::Work describe(const char* kernel, double products, std::span<const Tensor> maps, const Shape& w,
                       const PyramidMap& map, int64_t batch) {
  double cells = 0, bytes = 0;
  for (const Tensor& each : maps) {
    cells += static_cast<double>(each.numel());  // of which each meets K taps weights
    bytes += profile::bytes_of(each);
  }
  const auto pixels = static_cast<double>(batch * map.out_h * map.out_w);
  const double direct = 2 * pixels * static_cast<double>(w.numel());
  const auto terms = static_cast<double>(batch) *
                     (static_cast<double>(map.out_h * map.columns.terms()) + static_cast<double>(map.rows.terms()));
  return {.kernel = kernel,
          .shape = fmt::format("{} maps to {}x{}, weight {}", maps.size(), map.out_h, map.out_w, w),
          .flops = products * direct,
          .bytes = bytes + 4 * (static_cast<double>(w.numel()) * products + pixels * static_cast<double>(w[0])),
          .algorithm = "structured",
          .executed_flops = 2 * static_cast<double>(w[0]) * (products * cells * static_cast<double>(map.taps) + terms)};
}

/// Row of a cell's numbers: [items][taps][cells].
int64_t cell_row(const PyramidMap& map, size_t b, int64_t item, int64_t tap, int64_t cell) {
  return (item * map.taps + tap) * map.cells + map.begin[b] + cell;
}

/// A map [N,bh,bw,C] as the right operand of a product: [C][cells of all items, padded to whole vectors].
struct TransposedMap {
  explicit TransposedMap(const Tensor& map)
      : cells(map.rows()), padded((cells + 15) / 16 * 16), values(map.channels() * padded) {
    parallel_ranges(map.channels(), row_grain(padded), [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c) {
        float* row = values.data() + c * padded;
        for (int64_t i = 0; i < cells; ++i) row[i] = map.row(i)[c];
        std::fill(row + cells, row + padded, 0.0F);
      }
    });
  }
  int64_t cells, padded;
  Scratch<float> values;
};

/// z[n][tap][cell][k] = sum over c of w[k][tap][c] map[n][cell][c]. Reads the weight once, as it lies.
Tensor multiply_cells(std::span<const Tensor> maps, const Tensor& w, const PyramidMap& map) {
  const int64_t batch = maps[0].dim(0), k_count = w.dim(0), taps = map.taps;
  Tensor z = Tensor::activation({batch, taps, map.cells, k_count});
  std::vector<TransposedMap> operands;
  int64_t widest = 0;
  for (const Tensor& each : maps) {
    operands.emplace_back(each);
    widest = std::max(widest, operands.back().padded);
  }
  const auto sums_floats = static_cast<size_t>(kForwardBlock * taps * widest);
  announce_scratch(sums_floats);
  parallel_ranges(k_count, kForwardBlock, [&](int64_t k_begin, int64_t k_end) {
    float* sums = thread_scratch(sums_floats);
    int64_t channel = 0;
    for (size_t b = 0; b < maps.size(); ++b) {
      const TransposedMap& operand = operands[b];
      kernels::thin_product({.a = w.row(k_begin * taps) + channel,
                             .a_row = w.row_stride(),
                             .a_step = 1,
                             .b = operand.values.data(),
                             .b_stride = operand.padded,
                             .out = sums,
                             .out_stride = operand.padded,
                             .rows = (k_end - k_begin) * taps,
                             .depth = maps[b].channels(),
                             .width = operand.padded,
                             .accumulate = false});
      const int64_t per_item = maps[b].dim(1) * maps[b].dim(2);
      for (int64_t cell = 0; cell < operand.cells; ++cell) {
        for (int64_t tap = 0; tap < taps; ++tap) {
          float* to = z.row(cell_row(map, b, cell / per_item, tap, cell % per_item)) + k_begin;
          for (int64_t k = 0; k < k_end - k_begin; ++k) to[k] = sums[(k * taps + tap) * operand.padded + cell];
        }
      }
      channel += maps[b].channels();
    }
  });
  return z;
}

/// y = the interpolation of z: to the height of each output row first, which leaves a few columns, then along it.
void interpolate(const Tensor& z, const PyramidMap& map, const Tensor& y) {
  const int64_t k_count = z.channels();
  const auto slots_floats = static_cast<size_t>(map.slots * kChannels);
  announce_scratch(slots_floats);
  parallel_for(z.dim(0) * map.out_h, [&](int64_t task) {
    const int64_t item = task / map.out_h, p = task % map.out_h;
    float* slots = thread_scratch(slots_floats);
    const float* cells = z.row(item * map.taps * map.cells);
    for (int64_t k = 0; k < k_count; k += kChannels) {
      const int64_t width = std::min(kChannels, k_count - k);
      map.rows.multiply(cells + k, z.row_stride(), p * map.slots, (p + 1) * map.slots, slots, kChannels, width);
      map.columns.multiply(slots, kChannels, 0, map.out_w, y.row(task * map.out_w) + k, y.row_stride(), width);
    }
  });
}

/// dz = the adjoint of the interpolation: columns first, which leaves the slots of each output row, then rows.
Tensor interpolate_backward(const Tensor& dy, const PyramidMap& map) {
  const int64_t batch = dy.dim(0), k_count = dy.channels();
  const RowMatrix columns = map.columns.transposed(), rows = map.rows.transposed();
  const Tensor slots = Tensor::activation({batch, map.out_h, map.slots, k_count});
  parallel_for(batch * map.out_h, [&](int64_t task) {
    // In blocks of channels, so that the row of dy that all slots read stays in L1.
    for (int64_t k = 0; k < k_count; k += kChannels) {
      columns.multiply(dy.row(task * map.out_w) + k, dy.row_stride(), 0, map.slots, slots.row(task * map.slots) + k,
                       slots.row_stride(), std::min(kChannels, k_count - k));
    }
  });
  Tensor dz = Tensor::activation({batch, map.taps, map.cells, k_count});
  const int64_t per_item = map.taps * map.cells;
  for (int64_t item = 0; item < batch; ++item) {
    parallel_ranges(per_item, 16, [&](int64_t begin, int64_t end) {
      rows.multiply(slots.row(item * map.out_h * map.slots), slots.row_stride(), begin, end,
                    dz.row(item * per_item + begin), dz.row_stride(), k_count);
    });
  }
  return dz;
}

/// Copies rows of `count` floats that are `from_stride` apart, to make a dense operand.
void copy_rows(const float* from, int64_t from_stride, int64_t rows, int64_t count, float* to, int64_t to_stride) {
  for (int64_t i = 0; i < rows; ++i) std::copy_n(from + i * from_stride, count, to + i * to_stride);
}

/// The products of the backward pass for one map: dw[k][tap][c] = sum over cells of dz[cell][tap][k] map[cell][c], and
/// dmap[cell][c] = sum over k and tap of dz[cell][tap][k] w[k][tap][c]. Both w and dw pass through the cache once.
class MapBackward {
 public:
  /// w and dw: the map's channels of the weight and of its gradient; either may be undefined if not needed.
  MapBackward(const Tensor& dz, const PyramidMap& map, size_t b, const Tensor& pyramid_map, const Tensor& w,
              const Tensor& dw, bool need_map)
      : dz_(dz),
        map_(map),
        b_(b),
        cells_(pyramid_map),
        w_(w),
        dw_(dw),
        pictures_{pyramid_map.dim(0)},
        blocks_((dz.channels() + kBackwardBlock - 1) / kBackwardBlock),
        partials_(need_map ? Tensor::activation({blocks_, pyramid_map.rows(), pyramid_map.channels()}) : Tensor()) {}

  int64_t tasks() const { return blocks_; }
  /// What run asks thread_scratch for.
  size_t scratch_floats() const {
    return static_cast<size_t>(cells_.rows() * kBackwardBlock + kDepth * padded_stride(cells_.channels()) +
                               (1 + pictures_.levels()) * kBackwardBlock * cells_.channels());
  }

  /// The output channels of one block.
  void run(int64_t block) const {
    const int64_t k_begin = block * kBackwardBlock, k_count = std::min(kBackwardBlock, dz_.channels() - k_begin);
    const int64_t cells = cells_.rows(), per_item = cells_.dim(1) * cells_.dim(2), channels = cells_.channels();
    const int64_t stride = padded_stride(channels);
    float* gradients = thread_scratch(scratch_floats());
    float* weights = gradients + cells * kBackwardBlock;
    float* sums = weights + kDepth * stride;  // of the picture in work, and behind it those that are kept
    const int64_t floats = k_count * channels;
    for (int64_t tap = 0; tap < map_.taps; ++tap) {
      for (int64_t cell = 0; cell < cells; ++cell) {
        const int64_t row = cell_row(map_, b_, cell / per_item, tap, cell % per_item);
        std::copy_n(dz_.row(row) + k_begin, k_count, gradients + cell * kBackwardBlock);
      }
      if (dw_.defined()) {
        for (int64_t picture = 0; picture < pictures_.count; ++picture) {
          kernels::thin_product({.a = gradients + picture * per_item * kBackwardBlock,
                                 .a_row = 1,
                                 .a_step = kBackwardBlock,
                                 .b = cells_.row(picture * per_item),
                                 .b_stride = cells_.row_stride(),
                                 .out = sums,
                                 .out_stride = channels,
                                 .rows = k_count,
                                 .depth = per_item,
                                 .width = channels,
                                 .accumulate = false});
          take_sum(pictures_, picture, sums, floats, sums + floats, floats);
        }
        if (pictures_.count == 0) std::fill_n(sums, floats, 0.0F);
        copy_rows(sums, channels, k_count, channels, dw_.row(k_begin * map_.taps + tap), map_.taps * dw_.row_stride());
      }
      if (!partials_.defined()) continue;
      for (int64_t k = 0; k < k_count; k += kDepth) {
        // The rows of the weight are a power of two apart: where they lie, they would share a few cache sets.
        const int64_t depth = std::min(kDepth, k_count - k);
        copy_rows(w_.row((k_begin + k) * map_.taps + tap), map_.taps * w_.row_stride(), depth, channels, weights,
                  stride);
        kernels::thin_product({.a = gradients + k,
                               .a_row = kBackwardBlock,
                               .a_step = 1,
                               .b = weights,
                               .b_stride = stride,
                               .out = partials_.row(block * cells),
                               .out_stride = partials_.row_stride(),
                               .rows = cells,
                               .depth = depth,
                               .width = channels,
                               .accumulate = tap > 0 || k > 0});
      }
    }
  }

  /// After all tasks: the map's gradient, the partial sums added in the order of the blocks.
  Tensor gradient() const {
    Tensor dmap = Tensor::activation(cells_.shape());
    const int64_t cells = cells_.rows();
    RowMatrix sum(blocks_ * cells);
    for (int64_t cell = 0; cell < cells; ++cell) {
      for (int64_t block = 0; block < blocks_; ++block) sum.add(block * cells + cell, 1.0F);
      sum.end_output();
    }
    parallel_ranges(cells, row_grain(cells_.channels() * blocks_), [&](int64_t begin, int64_t end) {
      sum.multiply(partials_.data(), partials_.row_stride(), begin, end, dmap.row(begin), dmap.row_stride(),
                   cells_.channels());
    });
    return dmap;
  }

 private:
  static constexpr int64_t kDepth = 16;  // 16 rows of 512 channels are 33 KB
  Tensor dz_;
  const PyramidMap& map_;
  size_t b_;
  Tensor cells_, w_, dw_;
  TreeCounter pictures_;
  int64_t blocks_;
  Tensor partials_;
};

}  // namespace

Tensor pyramid_share(std::span<const Tensor> maps, const Tensor& w, int64_t height, int64_t width,
                     const Conv2dOptions& options) {
  check_maps("pyramid_share", maps, w.shape(), maps.empty() ? 0 : maps[0].dim(0), 0);
  const PyramidMap map(maps, height, width, w.dim(1), w.dim(2), options);
  Tensor y = Tensor::activation({maps[0].dim(0), map.out_h, map.out_w, w.dim(0)});
  const profile::Scope scope([&] { return describe("pyramid_share", 1, maps, w.shape(), map, y.dim(0)); });
  interpolate(multiply_cells(maps, w, map), map, y);
  return y;
}

Tensor pyramid_conv(const Tensor& x, std::span<const Tensor> maps, const Tensor& w, const Conv2dOptions& options,
                    ChannelMoments* moments) {
  check(x.rank() == 4, "pyramid_conv: x {} is not [N,H,W,C]", x.shape());
  check_maps("pyramid_conv", maps, w.shape(), x.dim(0), x.channels());
  const int64_t own = x.channels();
  const Tensor share = pyramid_share(maps, w.channel_slice(own, w.channels()), x.dim(1), x.dim(2), options);
  return conv2d_fused(x, w.channel_slice(0, own), {.residual = share, .moments = moments}, options);
}

PyramidConvGradients pyramid_conv_backward(const Tensor& dy, const Tensor& x, std::span<const Tensor> maps,
                                           const Tensor& w, const Conv2dOptions& options,
                                           const PyramidConvNeeds& needs) {
  check(x.rank() == 4, "pyramid_conv_backward: x {} is not [N,H,W,C]", x.shape());
  check_maps("pyramid_conv_backward", maps, w.shape(), x.dim(0), x.channels());
  const PyramidMap map(maps, x.dim(1), x.dim(2), w.dim(1), w.dim(2), options);
  check(dy.shape() == Shape{x.dim(0), map.out_h, map.out_w, w.dim(0)},
        "pyramid_conv_backward: dy {} for x {} and weight {}", dy.shape(), x.shape(), w.shape());
  const int64_t own = x.channels();
  PyramidConvGradients gradients;
  if (needs.inputs) gradients.x = conv2d_backward_input(dy, w.channel_slice(0, own), x.shape(), options);
  if (needs.weight) {
    gradients.w = Tensor::empty(w.shape());
    conv2d_backward_weight_to(gradients.w.channel_slice(0, own), x, dy, options);
  }
  const profile::Scope scope([&] {
    return describe("pyramid_share_backward", needs.inputs + needs.weight, maps, w.shape().with(3, w.channels() - own),
                    map, x.dim(0));
  });
  const Tensor dz = interpolate_backward(dy, map);
  std::vector<MapBackward> products;
  int64_t channel = own;
  for (size_t b = 0; b < maps.size(); ++b) {
    const int64_t end = channel + maps[b].channels();
    products.emplace_back(dz, map, b, maps[b], w.channel_slice(channel, end),
                          needs.weight ? gradients.w.channel_slice(channel, end) : Tensor(), needs.inputs);
    channel = end;
  }
  const int64_t tasks = products[0].tasks();
  for (const MapBackward& each : products) announce_scratch(each.scratch_floats());
  parallel_for(tasks * static_cast<int64_t>(maps.size()),
               [&](int64_t task) { products[static_cast<size_t>(task / tasks)].run(task % tasks); });
  if (needs.inputs) {
    for (const MapBackward& each : products) gradients.maps.push_back(each.gradient());
  }
  return gradients;
}

}  // namespace giza::ops
