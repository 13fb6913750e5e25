// Rows of logits class by class, for the ops that enlarge them and use the pixels at once.
#pragma once

#include "tensor/kernels/class_planes.h"
#include "tensor/kernels/resize.h"
#include "tensor/ops/scratch.h"
#include "tensor/tensor.h"

namespace giza::ops {

/// The logits [N,h,w,K] as N h rows of K planes, and what the rows and columns of their enlargement are made of. Made
/// once, in parallel; all rows are enlarged from it.
class ClassRows {
 public:
  /// align_corners as in resize_bilinear.
  ClassRows(const Tensor& logits, int64_t height, int64_t width, bool align_corners);

  int64_t classes() const { return classes_; }
  /// Floats of the row that blend() fills.
  int64_t row_floats() const { return classes_ * stride_; }
  /// Output row i, counted through all items, before its columns are enlarged.
  kernels::ClassPlanes blend(int64_t i, float* row) const;
  /// Of all columns, from pixel `x` on, which is the first of a group.
  kernels::EnlargedColumns columns(int64_t x) const { return columns_.from(x); }
  /// Of output row p of an item.
  const kernels::ResizeTap& tap(int64_t p) const { return rows_[p]; }

 private:
  int64_t classes_, input_height_, height_, stride_;
  Scratch<float> planes_;
  Scratch<kernels::ResizeTap> rows_;
  Scratch<int32_t> low_;
  Scratch<float> weights_;
  kernels::EnlargedColumns columns_;
};

}  // namespace giza::ops
