// Sums over many rows: numbered partial sums in double, added in a fixed tree.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tensor/ops/cut.h"
#include "tensor/ops/scratch.h"
#include "tensor/parallel.h"
#include "tensor/tensor.h"

namespace giza::ops {

/// Rows of C channels seen as rows of `width` columns. Where all tensors are dense and C is small, some neighbouring
/// pixels make one wide row, so that narrow layers use whole vectors too; column i then belongs to channel i % C. What
/// is left over is one more row of fewer columns.
struct Fold {
  int64_t channels, width;
  int64_t pixels;           ///< of a wide row
  int64_t pictures, units;  ///< the first dimension, and pixels of each; of one dimension, a single picture

  Fold(const Shape& shape, bool dense);
  /// The folded rows from `pixel` and `column` on; of an undefined tensor no rows.
  Rows of(const Tensor& t, int64_t pixel, int64_t column = 0) const {
    if (!t.defined()) return {};
    const int64_t stride = width == channels ? t.row_stride() : width;
    return {t.data() + pixel * t.row_stride() + column, stride};
  }
  /// Calls body(first pixel, rows, columns), in parallel, on ranges of rows that cover everything.
  template <class Body>
  void for_each_range(const Body& body) const {
    const int64_t rows = pictures * units / pixels, tail = pictures * units % pixels * channels;
    const int64_t grain = row_grain(width), tasks = std::max<int64_t>(1, (rows + grain - 1) / grain);
    parallel_for(tasks, [&](int64_t task) {
      const int64_t begin = task * grain, count = std::min(grain, rows - begin);
      if (count > 0) body(begin * pixels, count, width);
      if (task + 1 == tasks && tail > 0) body(rows * pixels, int64_t{1}, tail);
    });
  }
  /// Repeats the values of the channels over all columns. Returns the end.
  float* tile(const float* values, float* to) const;
};

/// `sums` sums per column over all rows of a Fold, by blocks of rows and columns of one picture each, which are added
/// in a tree: first those of a picture, then the pictures.
class Partials {
 public:
  Partials(const Fold& fold, int sums);

  /// Calls add(first pixel, rows, first column, columns, partial sums) for every block, in parallel. Sum k of column i
  /// of a block, counted from the block's first column, is at [k * stride() + i]; all begin as zero.
  template <class Add>
  void accumulate(const Add& add) {
    const int64_t rows = fold_.units / fold_.pixels, tail = fold_.units % fold_.pixels * fold_.channels;
    parallel_for(fold_.pictures * blocks_ * chunks_, [&](int64_t task) {
      const int64_t block = task / chunks_, column = task % chunks_ * kChunk;
      const int64_t columns = std::min(kChunk, fold_.width - column);
      double* partial = values_.data() + block * block_size() + column;
      for (int k = 0; k < sums_; ++k) std::fill_n(partial + k * stride_, round_up(columns), 0.0);
      const int64_t first = block / blocks_ * fold_.units, within = block % blocks_;
      const int64_t begin = within * block_rows_, count = std::min(block_rows_, rows - begin);
      if (count > 0) add(first + begin * fold_.pixels, count, column, columns, partial);
      if (within + 1 == blocks_ && column < tail) {
        add(first + rows * fold_.pixels, int64_t{1}, column, std::min(columns, tail - column), partial);
      }
    });
    reduce();
  }

  int64_t stride() const { return stride_; }
  /// After accumulate: sum k of a channel over everything.
  double sum(int k, int64_t channel) const;

 private:
  static constexpr int64_t kChunk = 512;  // columns of a block: 2 KB of a row, long enough to stream
  static int64_t round_up(int64_t columns) { return (columns + 15) / 16 * 16; }
  int64_t block_size() const { return sums_ * stride_; }
  void reduce();

  Fold fold_;
  int sums_;
  int64_t stride_, chunks_, block_rows_, blocks_;  // blocks of rows of each picture
  Scratch<double> values_;
};

}  // namespace giza::ops
