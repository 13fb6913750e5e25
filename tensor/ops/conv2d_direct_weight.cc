// Direct convolution, gradient of the weights.
#include <algorithm>
#include <vector>

#include "tensor/ops/conv2d_direct.h"

namespace giza::ops::direct {

using kernels::kTileRows;

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

}  // namespace giza::ops::direct
