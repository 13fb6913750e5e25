// Bilinear resize: along rows and columns in turn, since the weights are products.
#include "tensor/ops/resize.h"

#include "tensor/check.h"
#include "tensor/kernels/resize.h"
#include "tensor/ops/cut.h"
#include "tensor/ops/scratch.h"

namespace giza::ops {
namespace {

using kernels::ResizeSources;
using kernels::ResizeTap;

/// The two inputs and weights of each output of an axis. Positions are in double: float ones, as PyTorch has, are off
/// by up to 1e-5 pixels on pictures of this size.
Scratch<ResizeTap> make_taps(int64_t in, int64_t out, bool align_corners) {
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

/// The outputs of each input of an axis, which are neighbours, because positions only grow.
class Sources {
 public:
  Sources(int64_t in, int64_t out, bool align_corners) : sources_(in), weights_(2 * out) {
    const Scratch<ResizeTap> taps = make_taps(in, out, align_corners);
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
  const ResizeSources* data() const { return sources_.data(); }

 private:
  Scratch<ResizeSources> sources_;
  Scratch<float> weights_;
};

void check_sizes(const char* op, const Shape& in, int64_t height, int64_t width) {
  check(in.rank() == 4 && in[1] >= 1 && in[2] >= 1 && height >= 1 && width >= 1, "{}: {} to {}x{}", op, in, height,
        width);
}

}  // namespace

Tensor resize_bilinear(const Tensor& x, int64_t height, int64_t width, bool align_corners) {
  check_sizes("resize_bilinear", x.shape(), height, width);
  const int64_t h = x.dim(1), w = x.dim(2), channels = x.channels();
  Tensor y = Tensor::activation({x.dim(0), height, width, channels});
  const Scratch<ResizeTap> rows = make_taps(h, height, align_corners), columns = make_taps(w, width, align_corners);
  // Rows first: the row between two input rows is short when enlarging, and stays in L1 or L2. A dense row is one long
  // pixel.
  const int64_t stride = x.dense() ? channels : padded_stride(channels);
  parallel_ranges(x.dim(0) * height, row_grain(width * channels), [&](int64_t begin, int64_t end) {
    float* row = thread_scratch(static_cast<size_t>(w * stride));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t item = i / height;
      const ResizeTap& tap = rows[i % height];
      const float* low = x.row((item * h + tap.low) * w);
      const float* high = x.row((item * h + tap.high) * w);
      if (x.dense()) {
        kernels::resize_rows(low, tap.low_weight, high, tap.high_weight, 0, row, 0, 1, w * channels);
      } else {
        kernels::resize_rows(low, tap.low_weight, high, tap.high_weight, x.row_stride(), row, stride, w, channels);
      }
      kernels::resize_pixels(row, stride, columns.data(), y.row(i * width), y.row_stride(), width, channels);
    }
  });
  return y;
}

Tensor resize_bilinear_backward(const Tensor& dy, const Shape& x_shape, bool align_corners) {
  check(dy.rank() == 4, "resize_bilinear_backward: dy {} is not [N,P,Q,C]", dy.shape());
  check_sizes("resize_bilinear_backward", x_shape, dy.dim(1), dy.dim(2));
  check(dy.dim(0) == x_shape[0] && dy.channels() == x_shape[3], "resize_bilinear_backward: dy {} for x {}", dy.shape(),
        x_shape);
  const int64_t h = x_shape[1], w = x_shape[2], channels = x_shape[3], height = dy.dim(1), width = dy.dim(2);
  Tensor dx = Tensor::activation(x_shape);
  const Sources rows(h, height, align_corners), columns(w, width, align_corners);
  // Along each row first, which reads dy once and leaves [N,P,W,C], an eighth of it when logits were enlarged.
  const Tensor half = Tensor::activation({x_shape[0], height, w, channels});
  parallel_ranges(x_shape[0] * height, row_grain(std::max(width, w) * channels), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      kernels::resize_gather_pixels(dy.row(i * width), dy.row_stride(), columns.data(), half.row(i * w),
                                    half.row_stride(), w, channels);
    }
  });
  parallel_ranges(x_shape[0] * h, row_grain(2 * w * channels), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* from = half.row(i / h * height * w);
      const ResizeSources& source = rows.data()[i % h];
      const int64_t row_stride = w * half.row_stride();
      if (half.row_stride() == channels) {
        kernels::resize_gather_rows(from, 0, row_stride, source, dx.row(i * w), 0, 1, w * channels);
      } else {
        kernels::resize_gather_rows(from, half.row_stride(), row_stride, source, dx.row(i * w), dx.row_stride(), w,
                                    channels);
      }
    }
  });
  return dx;
}

}  // namespace giza::ops
