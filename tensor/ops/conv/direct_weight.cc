// Direct convolution, gradient of the weights: dw(tap)[c][k] = sum over output pixels of x(pixel, tap)[c] *
// dy[pixel][k].
#include <algorithm>
#include <vector>

#include "tensor/dry_run.h"
#include "tensor/kernels/elementwise.h"
#include "tensor/ops/conv/direct.h"
#include "tensor/ops/detail/take_sum.h"

namespace giza::ops::direct {
namespace {

using kernels::kTileRows;

constexpr int64_t kPixelBlock = 128;  // of the sum; its panel of dy, or half of it, stays in L1 while x passes

// How the work is cut: a task owns a part of the input channels, some panels of output channels, all taps, and a slice
// of the pixels. Its sums, at most 512 x 256, and a block of its pixels stay in L2, so that x is read once per 256
// output channels. Slices make work for many threads where the weights are few: pieces of each picture, or pictures
// that lie in one subtree of the sum over pictures. Their partial sums are added in order, and in the tree.
struct WeightCut {
  int64_t panel_groups, group_panels, parts, part_channels;
  int64_t pictures, pixels;      // of each
  int64_t pieces, piece_pixels;  // of each picture: its sum is that of its pieces
  int64_t slice_pictures;        // a power of 2; 1 where there are several pieces
  int64_t tasks() const { return panel_groups * parts; }
  int64_t slices() const { return pieces > 1 ? pictures * pieces : (pictures + slice_pictures - 1) / slice_pictures; }
};

WeightCut cut_weights(int64_t in_channels, int64_t panels, int64_t panel_width, int64_t taps, int64_t pictures,
                      int64_t pixels, int64_t weights) {
  WeightCut cut{};
  cut.pictures = pictures;
  cut.pixels = pixels;
  cut.group_panels = std::max<int64_t>(1, 256 / panel_width);
  cut.panel_groups = (panels + cut.group_panels - 1) / cut.group_panels;
  const int64_t wanted_parts = std::max<int64_t>(1, (in_channels * taps + 511) / 512);
  cut.part_channels = round_up((in_channels + wanted_parts - 1) / wanted_parts, kTileRows);
  cut.parts = std::max<int64_t>(1, (in_channels + cut.part_channels - 1) / cut.part_channels);
  // At least 32 tasks. Pieces depend on the picture alone, because they show in the bits: at least eight blocks each,
  // and no more than 1 MB of partial sums of a picture. Slices of whole pictures do not: no more than 16 MB.
  const int64_t wanted = (32 + cut.tasks() - 1) / cut.tasks(), floats = std::max<int64_t>(weights, 1);
  const int64_t pieces = std::min({wanted, (int64_t{1} << 18) / floats, pixels / (8 * kPixelBlock)});
  cut.piece_pixels = round_up((pixels + std::max<int64_t>(pieces, 1) - 1) / std::max<int64_t>(pieces, 1), kPixelBlock);
  cut.pieces = std::max<int64_t>(1, (pixels + cut.piece_pixels - 1) / std::max<int64_t>(cut.piece_pixels, 1));
  const int64_t slices =
      std::clamp<int64_t>(std::min(wanted, (int64_t{1} << 22) / floats), 1, std::max<int64_t>(pictures, 1));
  cut.slice_pictures = 1;
  while (cut.pieces == 1 && (pictures + cut.slice_pictures - 1) / cut.slice_pictures > slices) cut.slice_pictures *= 2;
  return cut;
}

void add_slices(const WeightCut& cut, const Tensor& partials, const Tensor& dw) {
  parallel_ranges(partials.channels(), 4096, [&](int64_t begin, int64_t end) {
    const auto add = [&](int64_t to_slice, int64_t from_slice) {
      float* to = partials.row(to_slice) + begin;
      kernels::add({to, 0}, {partials.row(from_slice) + begin, 0}, {to, 0}, 1, end - begin);
    };
    for (int64_t first = 0; first < partials.rows(); first += cut.pieces) {
      for (int64_t piece = 1; piece < cut.pieces; ++piece) add(first, first + piece);
    }
    add_in_tree(partials.rows() / cut.pieces,
                [&](int64_t to, int64_t from) { add(to * cut.pieces, from * cut.pieces); });
    std::copy(partials.row(0) + begin, partials.row(0) + end, dw.data() + begin);
  });
}

}  // namespace

void conv2d_backward_weight(const Tensor& dw, const Tensor& x, const Tensor& dy, const Conv2dOptions& options) {
  const Shape& w_shape = dw.shape();
  const int64_t p = dy.dim(1), q = dy.dim(2), out_channels = w_shape[0], in_channels = w_shape[3];
  if (should_unfold(w_shape)) {
    const Tensor flat = dw.reshape({out_channels, 1, 1, w_shape.numel() / out_channels});
    return conv2d_backward_weight(flat, unfold(x, w_shape, p, q, options), dy, {});
  }
  const std::vector<Tap> taps = forward_taps(w_shape, options);
  const auto tap_count = static_cast<int64_t>(taps.size());
  const kernels::GemmShape gemm = kernels::gemm_shape();
  const int64_t weights = w_shape.numel();
  if (dy.rows() == 0) return Tensor(dw).fill(0.0F);
  const int64_t panels = (out_channels + gemm.width - 1) / gemm.width;
  const WeightCut cut = cut_weights(in_channels, panels, gemm.width, tap_count, x.dim(0), p * q, weights);
  const Tensor zeros = Tensor::zeros({std::max<int64_t>(in_channels, 1)});
  const Tensor partials = cut.slices() > 1 ? Tensor::empty({cut.slices(), weights}) : dw.reshape({1, weights});

  const int64_t panel_floats = kPixelBlock * gemm.width;
  // Of a task with all its panels and channels.
  const int64_t most_panels = std::min(cut.group_panels, panels),
                most_channels = round_up(cut.part_channels, kTileRows);
  const int64_t levels = TreeCounter{std::min(cut.slice_pictures, cut.pictures)}.levels();
  announce_scratch(static_cast<size_t>(most_panels * (1 + levels) * tap_count * most_channels * gemm.width +
                                       most_channels / kTileRows * kernels::outer_tile_stride(kPixelBlock) +
                                       panel_floats + most_channels * gemm.width));
  parallel_for(cut.tasks() * cut.slices(), [&](int64_t task) {
    const int64_t slice = task / cut.tasks(), part = task % cut.parts;
    const int64_t first_panel = task / cut.parts % cut.panel_groups * cut.group_panels;
    const int64_t last_panel = std::min(first_panel + cut.group_panels, panels);
    const int64_t channel_begin = std::min(part * cut.part_channels, in_channels);
    const int64_t channel_end = std::min(channel_begin + cut.part_channels, in_channels);
    const int64_t panel_sums = round_up(channel_end - channel_begin, kTileRows) * gemm.width;
    const int64_t all_sums = (last_panel - first_panel) * tap_count * panel_sums;
    const int64_t x_floats =
        round_up(channel_end - channel_begin, kTileRows) / kTileRows * kernels::outer_tile_stride(kPixelBlock);
    float* sums = thread_scratch(static_cast<size_t>((1 + levels) * all_sums + x_floats + panel_floats + panel_sums));
    float* packed_x = sums + (1 + levels) * all_sums;
    float* tail = packed_x + x_floats;  // of dy: [pixel][column]
    float* partial = tail + panel_floats;
    const auto columns_of = [&](int64_t panel) { return std::min(gemm.width, out_channels - panel * gemm.width); };
    // The kernel reads dy where it lies, but for a last panel that is no whole number of vectors wide.
    const int64_t copied = out_channels % gemm.lanes == 0 ? panels : panels - 1;

    // Adds the products of pixels [first, end), counted over all pictures, to the sums.
    const auto add_products = [&](int64_t first, int64_t end) {
      for (int64_t begin = first; begin < end; begin += kPixelBlock) {
        const int64_t count = std::min(kPixelBlock, end - begin);
        int64_t n[kPixelBlock], y[kPixelBlock], z[kPixelBlock];  // where tap (0, 0) reads, before its offset
        for (int64_t i = 0; i < count; ++i) {
          const int64_t pixel = begin + i;
          n[i] = pixel / (p * q);
          y[i] = pixel / q % p * options.stride;
          z[i] = pixel % q * options.stride;
          if (copied < last_panel) {
            float* to = std::copy_n(dy.row(pixel) + copied * gemm.width, columns_of(copied), tail + i * gemm.width);
            std::fill(to, tail + (i + 1) * gemm.width, 0.0F);
          }
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
          kernels::pack_outer(rows, count, channel_begin, channel_end, packed_x);
          for (int64_t panel = first_panel; panel < last_panel; ++panel) {
            kernels::outer_panel({.a = packed_x,
                                  .tile_stride = kernels::outer_tile_stride(count),
                                  .channels = channel_end - channel_begin,
                                  .pixels = count,
                                  .b = panel == copied ? tail : dy.row(begin) + panel * gemm.width,
                                  .b_stride = panel == copied ? gemm.width : dy.row_stride(),
                                  .columns = columns_of(panel),
                                  .sums = sums + ((panel - first_panel) * tap_count + t) * panel_sums,
                                  .accumulate = true,
                                  .partial = partial,
                                  .next_b = panel + 1 < last_panel ? dy.row(begin) + (panel + 1) * gemm.width
                                            : begin + count < end  ? dy.row(begin + count) + first_panel * gemm.width
                                                                   : nullptr});
          }
        }
      }
    };
    if (cut.pieces > 1) {
      const int64_t picture = slice / cut.pieces, first = slice % cut.pieces * cut.piece_pixels;
      std::fill_n(sums, all_sums, 0.0F);
      add_products(picture * cut.pixels + first, picture * cut.pixels + std::min(first + cut.piece_pixels, cut.pixels));
    } else {
      const int64_t first = slice * cut.slice_pictures;
      const TreeCounter counter{std::min(cut.slice_pictures, cut.pictures - first)};
      for (int64_t i = 0; i < counter.count; ++i) {
        std::fill_n(sums, all_sums, 0.0F);
        add_products((first + i) * cut.pixels, (first + i + 1) * cut.pixels);
        take_sum(counter, i, sums, all_sums, sums + all_sums, all_sums);
      }
    }
    for (int64_t panel = first_panel; panel < last_panel; ++panel) {
      const int64_t columns = columns_of(panel), stride = round_up(columns, gemm.lanes);
      for (int64_t k = 0; k < columns; ++k) {
        for (int64_t t = 0; t < tap_count; ++t) {
          float* to = partials.row(slice) + ((panel * gemm.width + k) * tap_count + t) * in_channels;
          const float* from = sums + ((panel - first_panel) * tap_count + t) * panel_sums + k;
          for (int64_t c = channel_begin; c < channel_end; ++c, from += stride) to[c] = *from;
        }
      }
    }
  });
  if (cut.slices() > 1) add_slices(cut, partials, dw);
}

}  // namespace giza::ops::direct
