// Bilinear resize: along rows and columns in turn, since the weights are products.
#include "tensor/ops/resize.h"

#include <algorithm>

#include "tensor/base/check.h"
#include "tensor/dry_run.h"
#include "tensor/ops/cut.h"
#include "tensor/ops/detail/resize_axis.h"
#include "tensor/profile/profile.h"

namespace giza::ops {

Tensor resize_bilinear(const Tensor& x, int64_t height, int64_t width, bool align_corners) {
  check_resize("resize_bilinear", x.shape(), height, width);
  Tensor y = Tensor::activation({x.dim(0), height, width, x.channels()});
  // Four products and three sums for each output.
  const profile::Scope scope([&] { return profile::elementwise("resize_bilinear", 7, y, x); });
  const BilinearRows rows(x, height, width, align_corners);
  const auto row_floats = static_cast<size_t>(rows.row_floats());
  announce_scratch(row_floats);
  parallel_ranges(x.dim(0) * height, row_grain(width * x.channels()), [&](int64_t begin, int64_t end) {
    float* row = thread_scratch(row_floats);
    for (int64_t i = begin; i < end; ++i) {
      rows.blend(i, row);
      rows.enlarge(row, 0, width, y.row(i * width), y.row_stride());
    }
  });
  return y;
}

Tensor resize_bilinear_backward(const Tensor& dy, const Shape& x_shape, bool align_corners) {
  check(dy.rank() == 4, "resize_bilinear_backward: dy {} is not [N,P,Q,C]", dy.shape());
  check_resize("resize_bilinear_backward", x_shape, dy.dim(1), dy.dim(2));
  check(dy.dim(0) == x_shape[0] && dy.channels() == x_shape[3], "resize_bilinear_backward: dy {} for x {}", dy.shape(),
        x_shape);
  const int64_t h = x_shape[1], w = x_shape[2], channels = x_shape[3], height = dy.dim(1), width = dy.dim(2);
  Tensor dx = Tensor::activation(x_shape);
  const profile::Scope scope([&] { return profile::elementwise("resize_bilinear_backward", 8, dy, dx); });
  const ResizeAxisSources rows(h, height, align_corners), columns(w, width, align_corners);
  // Along each row first, which reads dy once and leaves [N,P,W,C], an eighth of it when logits were enlarged.
  const Tensor half = Tensor::activation({x_shape[0], height, w, channels});
  parallel_ranges(x_shape[0] * height, row_grain(std::max(width, w) * channels), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      kernels::resize_gather_pixels(rows_from(dy, i * width), columns.data(), rows_from(half, i * w), w, channels);
    }
  });
  parallel_ranges(x_shape[0] * h, row_grain(2 * w * channels), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* from = half.row(i / h * height * w);
      const kernels::ResizeSources& source = rows.data()[i % h];
      const int64_t row_stride = w * half.row_stride();
      if (half.row_stride() == channels) {
        kernels::resize_gather_rows({from, 0}, row_stride, source, {dx.row(i * w), 0}, 1, w * channels);
      } else {
        kernels::resize_gather_rows({from, half.row_stride()}, row_stride, source, rows_from(dx, i * w), w, channels);
      }
    }
  });
  return dx;
}

}  // namespace giza::ops
