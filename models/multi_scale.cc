// Inputs of several scales.
#include "models/multi_scale.h"

#include <algorithm>
#include <vector>

#include "autograd/functions/functions.h"
#include "tensor/base/check.h"

namespace giza::models {

using autograd::Variable;

namespace {

/// How many of `size` rows are left at a scale, at least 1.
int64_t scaled_size(int64_t size, InputScale scale) {
  return std::max<int64_t>(1, size * scale.numerator / scale.denominator);
}

/// Which of `size` labels stands for each of `count`.
std::vector<int64_t> nearest_places(int64_t size, int64_t count) {
  std::vector<int64_t> places;
  const double step = static_cast<double>(size) / static_cast<double>(count);
  double at = 0.5 * step;
  for (int64_t i = 0; i < count; ++i, at += step) places.push_back(std::min(static_cast<int64_t>(at), size - 1));
  return places;
}

}  // namespace

Variable at_scale(const Variable& x, InputScale scale, bool align_corners) {
  check(x.value().rank() == 4, "at_scale: x {} is not [N,H,W,C]", x.shape());
  const int64_t h = x.value().dim(1), w = x.value().dim(2);
  if (align_corners) {
    return autograd::resize_bilinear(x, (h - 1) * scale.numerator / scale.denominator + 1,
                                     (w - 1) * scale.numerator / scale.denominator + 1, align_corners);
  }
  // resize_bilinear goes by the ratio of sizes, which is the scale where both are whole multiples. What is added for
  // that no row or column that stays looks at.
  const int64_t q = scale.denominator, whole_h = (h + q - 1) / q * q, whole_w = (w + q - 1) / q * q;
  Variable y = x;
  if (whole_h != h || whole_w != w) {
    const int64_t border = q - 1;
    y = autograd::crop2d(autograd::mirror_pad2d(x, border), border, border, whole_h, whole_w);
  }
  y = autograd::resize_bilinear(y, scaled_size(whole_h, scale), scaled_size(whole_w, scale), align_corners);
  if (whole_h != h || whole_w != w) y = autograd::crop2d(y, 0, 0, scaled_size(h, scale), scaled_size(w, scale));
  return y;
}

Labels resized_labels(const Labels& labels, int64_t height, int64_t width) {
  check(height >= 1 && width >= 1 && labels.h >= 1 && labels.w >= 1, "resized_labels: labels of {}x{} to {}x{}",
        labels.h, labels.w, height, width);
  const std::vector<int64_t> rows = nearest_places(labels.h, height), columns = nearest_places(labels.w, width);
  Labels small(labels.n, height, width);
  size_t to = 0;
  for (int64_t n = 0; n < labels.n; ++n) {
    for (const int64_t row : rows) {
      for (const int64_t column : columns) small.values[to++] = labels.at(n, row, column);
    }
  }
  return small;
}

}  // namespace giza::models
