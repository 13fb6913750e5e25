// The cut of products into blocks and tasks.
#include "tensor/ops/conv/packed_matrix.h"

#include <algorithm>

namespace giza::ops {
namespace {

std::vector<DepthBlock> cut_depth(int64_t taps, int64_t channels, int64_t limit) {
  std::vector<DepthBlock> blocks;
  int64_t depth = 0;
  const auto add = [&](int64_t t0, int64_t t1, int64_t c0, int64_t c1) {
    blocks.push_back({t0, t1, c0, c1, depth});
    depth += blocks.back().depth();
  };
  // Whole taps while several fit, else even parts of each tap's channels.
  const int64_t taps_per_block = std::max<int64_t>(1, limit / std::max<int64_t>(channels, 1));
  const int64_t parts = (channels + limit - 1) / limit;
  if (parts <= 1) {
    const int64_t count = (taps + taps_per_block - 1) / taps_per_block;
    for (int64_t i = 0; i < count; ++i) add(taps * i / count, taps * (i + 1) / count, 0, channels);
  } else {
    for (int64_t t = 0; t < taps; ++t) {
      for (int64_t i = 0; i < parts; ++i) add(t, t + 1, channels * i / parts, channels * (i + 1) / parts);
    }
  }
  return blocks;
}

}  // namespace

PackedLayout::PackedLayout(int64_t taps, int64_t channels, int64_t all_columns) : columns(all_columns) {
  const kernels::GemmShape gemm = kernels::gemm_shape();
  padded = round_up(columns, gemm.lanes);
  width = gemm.width;
  blocks = cut_depth(taps, channels, kernels::kDepth);
}

PackedLayout::Next PackedLayout::next(const DepthBlock& block, int64_t panel, int64_t panel_end) const {
  const bool last = &block == &blocks.back();
  const DepthBlock& next = last ? blocks.front() : *(&block + 1);
  const int64_t next_panel = last ? panel + 1 : panel;
  if (next_panel >= panel_end) return {};
  return {offset(next, next_panel), next.depth() * panel_columns(next_panel)};
}

ProductCut cut_product(int64_t pictures, int64_t pixels, int64_t panels) {
  // 120 rows: their inputs stay in L2 while all panels pass, and their outputs of one panel while its depth blocks do.
  // At least 32 tasks where there is work for them, so that many threads share it evenly.
  const PictureCut rows(pictures, pixels, 120, kernels::kTileRows);
  const int64_t wanted = std::min(panels, std::max<int64_t>(1, 32 / std::max<int64_t>(rows.tasks(), 1)));
  const int64_t panels_per_task = (panels + wanted - 1) / wanted;
  return {rows, panels_per_task, (panels + panels_per_task - 1) / panels_per_task};
}

}  // namespace giza::ops
