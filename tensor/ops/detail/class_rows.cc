// Rows of logits class by class.
#include "tensor/ops/detail/class_rows.h"

#include <algorithm>

#include "tensor/ops/cut.h"
#include "tensor/ops/detail/resize_axis.h"
#include "tensor/parallel.h"

namespace giza::ops {

using kernels::whole_groups;

ClassRows::ClassRows(const Tensor& logits, int64_t height, int64_t width, bool align_corners)
    : classes_(logits.channels()),
      input_height_(logits.dim(1)),
      height_(height),
      stride_(padded_stride(logits.dim(2) + kernels::ClassPlanes::floats_behind())),
      planes_(logits.dim(0) * input_height_ * classes_ * stride_),
      rows_(resize_taps(input_height_, height, align_corners)),
      low_(whole_groups(width)),
      weights_(2 * whole_groups(width)),
      columns_{low_.data(), weights_.data(), weights_.data() + whole_groups(width), logits.dim(2) > width} {
  const int64_t input_width = logits.dim(2);
  const Scratch<kernels::ResizeTap> taps = resize_taps(input_width, width, align_corners);
  for (int64_t x = 0; x < whole_groups(width); ++x) {
    // The right neighbour of the last pixel is its copy, as the tap has it.
    const kernels::ResizeTap& tap = taps[std::min(x, width - 1)];
    low_[x] = static_cast<int32_t>(tap.low);
    weights_[x] = tap.low_weight;
    weights_[whole_groups(width) + x] = tap.high_weight;
  }
  parallel_ranges(logits.dim(0) * input_height_, row_grain(row_floats()), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float* to = planes_.data() + i * row_floats();
      for (int64_t k = 0; k < classes_; ++k, to += stride_) {
        for (int64_t x = 0; x < input_width; ++x) to[x] = logits.row(i * input_width + x)[k];
        std::fill(to + input_width, to + stride_, to[input_width - 1]);
      }
    }
  });
}

kernels::ClassPlanes ClassRows::blend(int64_t i, float* row) const {
  const kernels::ResizeTap& tap = rows_[i % height_];
  const float* item = planes_.data() + i / height_ * input_height_ * row_floats();
  // One long pixel.
  kernels::resize_rows({item + tap.low * row_floats(), 0}, tap.low_weight, {item + tap.high * row_floats(), 0},
                       tap.high_weight, {row, 0}, 1, row_floats());
  return {row, stride_, classes_};
}

}  // namespace giza::ops
