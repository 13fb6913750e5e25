// Where the outputs of a convolution over upsampled pyramid maps come from: two sparse matrices, made from shapes
// alone.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/kernels/pyramid_conv.h"
#include "tensor/ops/conv2d.h"
#include "tensor/storage.h"

namespace giza::ops {

/// A sparse matrix: each output row is a weighted sum of input rows.
class RowMatrix {
 public:
  explicit RowMatrix(int64_t inputs) : inputs_(inputs) {}
  /// A term of the output that is being described.
  void add(int64_t input, float weight);
  /// Ends the description of an output; the next one begins.
  void end_output() { first_.push_back(static_cast<int32_t>(terms_.size())); }

  int64_t outputs() const { return static_cast<int64_t>(first_.size()) - 1; }
  int64_t terms() const { return static_cast<int64_t>(terms_.size()); }
  RowMatrix transposed() const;
  /// Rows [begin, end) of out = this * in.
  void multiply(const float* in, int64_t in_stride, int64_t begin, int64_t end, float* out, int64_t out_stride,
                int64_t width) const;

 private:
  template <class T>
  using List = std::vector<T, ArenaAllocator<T>>;
  int64_t inputs_;
  List<kernels::RowTerm> terms_;
  List<int32_t> first_ = {0};
};

/// The pyramid maps of a convolution with an R x S kernel on a map of h x w. Its numbers are kept as
/// - cells: [taps (r, s)][cells of all maps, one map after the other, row by row],
/// - slots: [output rows][maps][s][columns of the map]: cells summed up over r and interpolated to one output row.
struct PyramidMap {
  /// maps: [N,rows,columns,C] each.
  PyramidMap(std::span<const Tensor> maps, int64_t h, int64_t w, int64_t kernel_h, int64_t kernel_w,
             const Conv2dOptions& options);

  int64_t out_h, out_w;        ///< of the convolution
  int64_t taps;                ///< R * S
  int64_t cells;               ///< of all maps of one item
  std::vector<int64_t> begin;  ///< first cell of each map
  int64_t slots;               ///< of one output row
  RowMatrix rows;              ///< taps * cells -> out_h * slots
  RowMatrix columns;           ///< slots -> out_w
};

}  // namespace giza::ops
