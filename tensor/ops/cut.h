// How ops cut element-wise work into tasks: by shape only, so that the result is the same for any number of threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tensor/parallel.h"
#include "tensor/rows.h"
#include "tensor/tensor.h"

namespace giza::ops {

/// Floats of one operand in one task: 128 KB stays in L2 and takes about ten microseconds, ten times what it costs to
/// hand a task out.
constexpr int64_t kTaskFloats = 32768;

/// Rows per task for rows of `width` floats.
inline int64_t row_grain(int64_t width) { return std::max<int64_t>(1, kTaskFloats / std::max<int64_t>(width, 1)); }

/// The rows of a tensor from `row` and `column` on; of an undefined one no rows.
inline Rows rows_from(const Tensor& t, int64_t row, int64_t column = 0) {
  return t.defined() ? Rows{t.row(row) + column, t.row_stride()} : Rows{};
}

/// A range of the rows of some tensors of one shape.
struct Block {
  bool flat;      ///< all tensors are dense: the block is one long row
  int64_t index;  ///< its number
  int64_t begin;  ///< its first row; if flat, its first element
  int64_t rows, width;

  Rows of(const Tensor& t) const { return flat ? Rows{t.data() + begin, width} : rows_from(t, begin); }
};

/// Number of blocks of for_each_block.
template <class... Tensors>
int64_t count_blocks(const Tensor& first, const Tensors&... others) {
  const bool flat = first.dense() && (others.dense() && ...);
  const int64_t items = flat ? first.numel() : first.rows(), grain = flat ? kTaskFloats : row_grain(first.channels());
  return first.numel() == 0 ? 0 : (items + grain - 1) / grain;
}

/// Calls body(block), in parallel, on blocks that cover all elements of the tensors, which have one shape.
template <class Body, class... Tensors>
void for_each_block(const Body& body, const Tensor& first, const Tensors&... others) {
  const bool flat = first.dense() && (others.dense() && ...);
  const int64_t items = flat ? first.numel() : first.rows(), grain = flat ? kTaskFloats : row_grain(first.channels());
  parallel_for(count_blocks(first, others...), [&](int64_t index) {
    const int64_t begin = index * grain, count = std::min(grain, items - begin);
    body(flat ? Block{true, index, begin, 1, count} : Block{false, index, begin, count, first.channels()});
  });
}

}  // namespace giza::ops
