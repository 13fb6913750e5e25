// Where the outputs of a convolution over upsampled pyramid maps come from.
#include "tensor/ops/conv/pyramid_map.h"

#include "tensor/ops/detail/resize_axis.h"

namespace giza::ops {

using kernels::ResizeTap;

void RowMatrix::add(int64_t input, float weight) { terms_.push_back({static_cast<int32_t>(input), weight}); }

RowMatrix RowMatrix::transposed() const {
  RowMatrix result(outputs());
  result.first_.assign(static_cast<size_t>(inputs_) + 1, 0);
  result.terms_.resize(terms_.size());
  for (const kernels::RowTerm& term : terms_) ++result.first_[static_cast<size_t>(term.row) + 1];
  for (size_t i = 0; i < static_cast<size_t>(inputs_); ++i) result.first_[i + 1] += result.first_[i];
  List<int32_t> next = result.first_;
  for (int32_t o = 0; o < outputs(); ++o) {
    for (int32_t t = first_[static_cast<size_t>(o)]; t < first_[static_cast<size_t>(o) + 1]; ++t) {
      const kernels::RowTerm& term = terms_[static_cast<size_t>(t)];
      result.terms_[static_cast<size_t>(next[static_cast<size_t>(term.row)]++)] = {o, term.weight};
    }
  }
  return result;
}

void RowMatrix::multiply(const float* in, int64_t in_stride, int64_t begin, int64_t end, float* out, int64_t out_stride,
                         int64_t width) const {
  kernels::combine_rows({in, in_stride}, terms_.data(), first_.data() + begin, end - begin, {out, out_stride}, width);
}

namespace {

/// What tap r of a kernel reads for output p, seen from a map of `size` cells that is upsampled to `length`: nothing
/// outside of it. Calls body(cell, weight).
template <class Body>
void for_each_source(int64_t p, int64_t r, int64_t length, const Scratch<ResizeTap>& taps, const Conv2dOptions& options,
                     const Body& body) {
  const int64_t position = p * options.stride - options.padding + r * options.dilation;
  if (position < 0 || position >= length) return;
  const ResizeTap& tap = taps[position];
  if (tap.low == tap.high) {
    body(tap.low, tap.low_weight + tap.high_weight);
  } else {
    body(tap.low, tap.low_weight);
    body(tap.high, tap.high_weight);
  }
}

std::vector<Scratch<ResizeTap>> axis_taps(std::span<const Tensor> maps, int axis, int64_t length) {
  std::vector<Scratch<ResizeTap>> taps;
  for (const Tensor& map : maps) taps.push_back(resize_taps(map.dim(axis), length, /*align_corners=*/true));
  return taps;
}

int64_t count_cells(std::span<const Tensor> maps) {
  int64_t count = 0;
  for (const Tensor& map : maps) count += map.dim(1) * map.dim(2);
  return count;
}

int64_t count_slots(std::span<const Tensor> maps, int64_t kernel_w) {
  int64_t count = 0;
  for (const Tensor& map : maps) count += kernel_w * map.dim(2);
  return count;
}

}  // namespace

PyramidMap::PyramidMap(std::span<const Tensor> maps, int64_t h, int64_t w, int64_t kernel_h, int64_t kernel_w,
                       const Conv2dOptions& options)
    : out_h(conv_output_size(h, kernel_h, options)),
      out_w(conv_output_size(w, kernel_w, options)),
      taps(kernel_h * kernel_w),
      cells(count_cells(maps)),
      slots(count_slots(maps, kernel_w)),
      rows(taps * cells),
      columns(slots) {
  const std::vector<Scratch<ResizeTap>> row_taps = axis_taps(maps, 1, h), column_taps = axis_taps(maps, 2, w);
  int64_t count = 0;
  for (const Tensor& map : maps) {
    begin.push_back(count);
    count += map.dim(1) * map.dim(2);
  }
  for (int64_t p = 0; p < out_h; ++p) {
    for (size_t b = 0; b < maps.size(); ++b) {
      const int64_t width = maps[b].dim(2);
      for (int64_t s = 0; s < kernel_w; ++s) {
        for (int64_t j = 0; j < width; ++j) {
          for (int64_t r = 0; r < kernel_h; ++r) {
            for_each_source(p, r, h, row_taps[b], options, [&](int64_t i, float weight) {
              rows.add((r * kernel_w + s) * cells + begin[b] + i * width + j, weight);
            });
          }
          rows.end_output();
        }
      }
    }
  }
  for (int64_t q = 0; q < out_w; ++q) {
    int64_t slot = 0;
    for (size_t b = 0; b < maps.size(); ++b) {
      for (int64_t s = 0; s < kernel_w; ++s, slot += maps[b].dim(2)) {
        for_each_source(q, s, w, column_taps[b], options,
                        [&](int64_t j, float weight) { columns.add(slot + j, weight); });
      }
    }
    columns.end_output();
  }
}

}  // namespace giza::ops
