// A part of every map, and maps with a mirrored border.
#include "tensor/ops/crop.h"

#include <algorithm>
#include <cstdlib>

#include "tensor/base/check.h"
#include "tensor/kernels/elementwise.h"
#include "tensor/ops/cut.h"
#include "tensor/profile/profile.h"

namespace giza::ops {
namespace {

/// Calls body(item, row) for each row of all maps, in parallel.
template <class Body>
void for_each_map_row(const Shape& nhwc, const Body& body) {
  parallel_ranges(nhwc[0] * nhwc[1], row_grain(nhwc[2] * nhwc[3]), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i / nhwc[1], i % nhwc[1]);
  });
}

void check_maps(const char* op, const Shape& x) { check(x.rank() == 4, "{}: x {} is not [N,H,W,C]", op, x); }

}  // namespace

int64_t mirrored(int64_t i, int64_t size) {
  if (size == 1) return 0;
  const int64_t period = 2 * (size - 1), at = std::abs(i) % period;
  return at < size ? at : period - at;
}

Tensor crop2d(const Tensor& x, int64_t top, int64_t left, int64_t height, int64_t width) {
  check_maps("crop2d", x.shape());
  const int64_t h = x.dim(1), w = x.dim(2);
  check(top >= 0 && left >= 0 && height >= 1 && width >= 1 && height <= h - top && width <= w - left,
        "crop2d: rows {} to {} and columns {} to {} of x {}", top, top + height, left, left + width, x.shape());
  Tensor y = Tensor::activation({x.dim(0), height, width, x.channels()});
  const profile::Scope scope([&] { return profile::elementwise("crop2d", 0, y, y); });
  for_each_map_row(y.shape(), [&](int64_t item, int64_t row) {
    kernels::copy_rows(rows_from(x, (item * h + top + row) * w + left), rows_from(y, (item * height + row) * width),
                       width, x.channels());
  });
  return y;
}

Tensor crop2d_backward(const Tensor& dy, const Shape& x_shape, int64_t top, int64_t left) {
  check_maps("crop2d_backward", x_shape);
  check(dy.rank() == 4 && dy.dim(0) == x_shape[0] && dy.channels() == x_shape[3] && top >= 0 && left >= 0 &&
            dy.dim(1) <= x_shape[1] - top && dy.dim(2) <= x_shape[2] - left,
        "crop2d_backward: dy {} at {}, {} of x {}", dy.shape(), top, left, x_shape);
  const int64_t h = x_shape[1], w = x_shape[2], height = dy.dim(1), width = dy.dim(2);
  Tensor dx = Tensor::zeros(x_shape);
  const profile::Scope scope([&] { return profile::elementwise("crop2d_backward", 0, dy, dx); });
  for_each_map_row(dy.shape(), [&](int64_t item, int64_t row) {
    kernels::copy_rows(rows_from(dy, (item * height + row) * width), rows_from(dx, (item * h + top + row) * w + left),
                       width, x_shape[3]);
  });
  return dx;
}

Tensor mirror_pad2d(const Tensor& x, int64_t border) {
  check_maps("mirror_pad2d", x.shape());
  const int64_t h = x.dim(1), w = x.dim(2);
  check(border >= 0 && h >= 1 && w >= 1, "mirror_pad2d: a border of {} around x {}", border, x.shape());
  Tensor y = Tensor::activation({x.dim(0), h + 2 * border, w + 2 * border, x.channels()});
  const profile::Scope scope([&] { return profile::elementwise("mirror_pad2d", 0, x, y); });
  for_each_map_row(y.shape(), [&](int64_t item, int64_t row) {
    const int64_t from = (item * h + mirrored(row - border, h)) * w, to = (item * y.dim(1) + row) * y.dim(2);
    kernels::copy_rows(rows_from(x, from), rows_from(y, to + border), w, x.channels());
    for (int64_t i = 0; i < border; ++i) {
      kernels::copy_rows(rows_from(x, from + mirrored(i - border, w)), rows_from(y, to + i), 1, x.channels());
      kernels::copy_rows(rows_from(x, from + mirrored(w + i, w)), rows_from(y, to + border + w + i), 1, x.channels());
    }
  });
  return y;
}

Tensor mirror_pad2d_backward(const Tensor& dy, const Shape& x_shape, int64_t border) {
  check_maps("mirror_pad2d_backward", x_shape);
  const int64_t h = x_shape[1], w = x_shape[2], channels = x_shape[3];
  check(border >= 0 && dy.shape() == Shape{x_shape[0], h + 2 * border, w + 2 * border, channels},
        "mirror_pad2d_backward: dy {} for x {} with a border of {}", dy.shape(), x_shape, border);
  Tensor dx = Tensor::zeros(x_shape);
  const profile::Scope scope([&] { return profile::elementwise("mirror_pad2d_backward", 0, dy, dx); });
  for_each_map_row(x_shape, [&](int64_t item, int64_t row) {
    for (int64_t r = 0; r < dy.dim(1); ++r) {
      if (mirrored(r - border, h) != row) continue;
      for (int64_t c = 0; c < dy.dim(2); ++c) {
        const Rows to = rows_from(dx, (item * h + row) * w + mirrored(c - border, w));
        kernels::add(to, rows_from(dy, (item * dy.dim(1) + r) * dy.dim(2) + c), to, 1, channels);
      }
    }
  });
  return dx;
}

}  // namespace giza::ops
