// Order of a matrix in memory as the product kernels read it: by blocks of its depth, by panels of its columns.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tensor/kernels/gemm.h"
#include "tensor/ops/picture_cut.h"
#include "tensor/parallel.h"
#include "tensor/tensor.h"

namespace giza::ops {

inline int64_t round_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

/// A block of the depth (taps x channels of each) that one pass over the output sums up.
struct DepthBlock {
  int64_t tap_begin, tap_end, channel_begin, channel_end;
  int64_t depth_begin;  ///< position in the packed matrix
  int64_t channels() const { return channel_end - channel_begin; }
  int64_t depth() const { return (tap_end - tap_begin) * channels(); }
};

/// [depth block][panel][depth][columns of the panel]; the last panel is padded with zeros to whole vectors. A function
/// of the shape and the SIMD target only.
struct PackedLayout {
  int64_t columns = 0;  ///< of the matrix
  int64_t padded = 0;   ///< to whole vectors
  int64_t width = 0;    ///< of a full panel
  std::vector<DepthBlock> blocks;

  PackedLayout() = default;
  PackedLayout(int64_t taps, int64_t channels, int64_t columns);
  int64_t panels() const { return (columns + width - 1) / width; }
  int64_t panel_columns(int64_t panel) const { return std::min(width, padded - panel * width); }
  /// Position of a panel's first float.
  int64_t offset(const DepthBlock& block, int64_t panel) const {
    return block.depth_begin * padded + panel * width * block.depth();
  }
  /// Where the panel lies that is read after this one of a block, for panels up to panel_end with all their blocks: its
  /// position and size; size 0 behind the last.
  struct Next {
    int64_t offset = 0, floats = 0;
  };
  Next next(const DepthBlock& block, int64_t panel, int64_t panel_end) const;
  int64_t floats() const { return blocks.empty() ? 0 : (blocks.back().depth_begin + blocks.back().depth()) * padded; }
};

/// How a product with a row for each pixel is cut into tasks: by rows, and by panels where the rows are few.
struct ProductCut {
  PictureCut rows;
  int64_t panels_per_task, panel_blocks;
  int64_t tasks() const { return rows.tasks() * panel_blocks; }
};
ProductCut cut_product(int64_t pictures, int64_t pixels, int64_t panels);

}  // namespace giza::ops
