// Where each output of a bilinear resize comes from.
#include "tensor/ops/detail/resize_axis.h"

#include <algorithm>

#include "tensor/base/check.h"

namespace giza::ops {

using kernels::ResizeTap;

// Positions are in double: float ones, as PyTorch has, are off by up to 1e-5 pixels on pictures of this size.
Scratch<ResizeTap> resize_taps(int64_t in, int64_t out, bool align_corners) {
  Scratch<ResizeTap> taps(out);
  for (int64_t i = 0; i < out; ++i) {
    double position = 0;
    if (!align_corners) {
      position = (static_cast<double>(i) + 0.5) * static_cast<double>(in) / static_cast<double>(out) - 0.5;
    } else if (out > 1) {
      position = static_cast<double>(i * (in - 1)) / static_cast<double>(out - 1);
    }
    position = std::clamp(position, 0.0, static_cast<double>(in - 1));
    const auto low = static_cast<int64_t>(position);
    const double high_weight = position - static_cast<double>(low);
    taps[i] = {low, std::min(low + 1, in - 1), static_cast<float>(1 - high_weight), static_cast<float>(high_weight)};
  }
  return taps;
}

ResizeAxisSources::ResizeAxisSources(int64_t in, int64_t out, bool align_corners) : sources_(in), weights_(2 * out) {
  const Scratch<ResizeTap> taps = resize_taps(in, out, align_corners);
  int64_t begin = 0, end = 0, used = 0;
  for (int64_t i = 0; i < in; ++i) {
    while (begin < out && taps[begin].high < i) ++begin;
    while (end < out && taps[end].low <= i) ++end;
    begin = std::min(begin, end);
    sources_[i] = {begin, end, weights_.data() + used};
    for (int64_t q = begin; q < end; ++q) {
      weights_[used++] =
          (taps[q].low == i ? taps[q].low_weight : 0.0F) + (taps[q].high == i ? taps[q].high_weight : 0.0F);
    }
  }
}

void check_resize(const char* op, const Shape& in, int64_t height, int64_t width) {
  check(in.rank() == 4 && in[1] >= 1 && in[2] >= 1 && height >= 1 && width >= 1, "{}: {} to {}x{}", op, in, height,
        width);
}

BilinearRows::BilinearRows(const Tensor& x, int64_t height, int64_t width, bool align_corners)
    : x_(x),
      height_(height),
      stride_(x.dense() ? x.channels() : padded_stride(x.channels())),
      rows_(resize_taps(x.dim(1), height, align_corners)),
      columns_(resize_taps(x.dim(2), width, align_corners)) {}

void BilinearRows::blend(int64_t i, float* row) const {
  const int64_t item = i / height_, h = x_.dim(1), w = x_.dim(2), channels = x_.channels();
  const ResizeTap& tap = rows_[i % height_];
  const float* low = x_.row((item * h + tap.low) * w);
  const float* high = x_.row((item * h + tap.high) * w);
  if (x_.dense()) {  // one long pixel
    kernels::resize_rows({low, 0}, tap.low_weight, {high, 0}, tap.high_weight, {row, 0}, 1, w * channels);
  } else {
    kernels::resize_rows({low, x_.row_stride()}, tap.low_weight, {high, x_.row_stride()}, tap.high_weight,
                         {row, stride_}, w, channels);
  }
}

void BilinearRows::enlarge(const float* row, int64_t begin, int64_t end, float* y, int64_t y_stride) const {
  kernels::resize_pixels({row, stride_}, columns_.data() + begin, {y, y_stride}, end - begin, x_.channels());
}

}  // namespace giza::ops
