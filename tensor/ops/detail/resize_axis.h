// What bilinear resize and the ops fused with it share: where each output of an axis comes from, and rows between rows.
#pragma once

#include "tensor/kernels/resize.h"
#include "tensor/ops/scratch.h"
#include "tensor/tensor.h"

namespace giza::ops {

/// The two inputs and weights of each output of an axis of `in` inputs; align_corners as in resize_bilinear.
Scratch<kernels::ResizeTap> resize_taps(int64_t in, int64_t out, bool align_corners);

/// The outputs of each input of an axis, which are neighbours, because positions only grow.
class ResizeAxisSources {
 public:
  ResizeAxisSources(int64_t in, int64_t out, bool align_corners);
  const kernels::ResizeSources* data() const { return sources_.data(); }

 private:
  Scratch<kernels::ResizeSources> sources_;
  Scratch<float> weights_;
};

/// Throws ShapeError unless `in` is [N,H,W,C] with H and W of at least one, and so are height and width.
void check_resize(const char* op, const Shape& in, int64_t height, int64_t width);

/// Makes single rows of resize_bilinear(x, height, width), in two steps, because the weights are products. The row
/// between two input rows comes first: it is short when enlarging, and stays in L1 or L2.
class BilinearRows {
 public:
  BilinearRows(const Tensor& x, int64_t height, int64_t width, bool align_corners);

  /// Floats of a row between two input rows.
  int64_t row_floats() const { return x_.dim(2) * stride_; }
  /// The row of width x.dim(2) at the height of output row i, counted through all items.
  void blend(int64_t i, float* row) const;
  /// Pixels [begin, end) of the output row, from what blend() left in `row`.
  void enlarge(const float* row, int64_t begin, int64_t end, float* y, int64_t y_stride) const;

 private:
  Tensor x_;
  int64_t height_, stride_;
  Scratch<kernels::ResizeTap> rows_, columns_;
};

}  // namespace giza::ops
