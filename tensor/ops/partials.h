// Sums over many rows: numbered partial sums in double, added in a fixed tree.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tensor/ops/cut.h"
#include "tensor/ops/scratch.h"
#include "tensor/parallel.h"
#include "tensor/tensor.h"

namespace giza::ops {

/// Rows of C channels seen as rows of `width` columns. Where all tensors are dense and C is small, k neighbouring
/// pixels make one wide row, so that narrow layers use whole vectors too; column i then belongs to channel i % C. What
/// is left over is one more row of `tail` columns.
struct Fold {
  int64_t channels, width, rows, tail;

  Fold(const Shape& shape, bool dense);
  /// The folded rows from row r and `column` on; of an undefined tensor no rows.
  Rows of(const Tensor& t, int64_t r, int64_t column = 0) const {
    if (!t.defined()) return {};
    const int64_t stride = width == channels ? t.row_stride() : width;
    return {t.data() + r * stride + column, stride};
  }
  /// Calls body(first row, rows, columns), in parallel, on ranges of rows that cover everything.
  template <class Body>
  void for_each_range(const Body& body) const {
    const int64_t grain = row_grain(width), tasks = std::max<int64_t>(1, (rows + grain - 1) / grain);
    parallel_for(tasks, [&](int64_t task) {
      const int64_t begin = task * grain, count = std::min(grain, rows - begin);
      if (count > 0) body(begin, count, width);
      if (task + 1 == tasks && tail > 0) body(rows, int64_t{1}, tail);
    });
  }
  /// Repeats the values of the channels over all columns. Returns the end.
  float* tile(const float* values, float* to) const;
};

/// `sums` sums per column over all rows of a Fold, by blocks of rows and columns.
class Partials {
 public:
  Partials(const Fold& fold, int sums);

  /// Calls add(first row, rows, first column, columns, partial sums) for every block, in parallel. Sum k of column i of
  /// a block, counted from the block's first column, is at [k * stride() + i]; all begin as zero.
  template <class Add>
  void accumulate(const Add& add) {
    parallel_for(blocks_ * chunks_, [&](int64_t task) {
      const int64_t block = task / chunks_, column = task % chunks_ * kChunk;
      const int64_t columns = std::min(kChunk, fold_.width - column);
      double* partial = values_.data() + block * block_size() + column;
      for (int k = 0; k < sums_; ++k) std::fill_n(partial + k * stride_, round_up(columns), 0.0);
      const int64_t begin = block * block_rows_, end = std::min(begin + block_rows_, fold_.rows);
      add(begin, end - begin, column, columns, partial);
      if (block + 1 == blocks_ && column < fold_.tail) {
        add(fold_.rows, int64_t{1}, column, std::min(columns, fold_.tail - column), partial);
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
  int64_t stride_, chunks_, block_rows_, blocks_;
  Scratch<double> values_;
};

}  // namespace giza::ops
