// Winograd convolutions forward and backward to the input: transform tiles, multiply by position, transform back.
#include "tensor/ops/conv/winograd.h"

#include <algorithm>

#include "tensor/dry_run.h"
#include "tensor/kernels/winograd.h"
#include "tensor/ops/channel_moments.h"
#include "tensor/ops/conv/winograd_tiles.h"
#include "tensor/ops/scratch.h"

namespace giza::ops::winograd {
namespace {

/// in -> out of one convolution; output pixel (p, q) of tile row 0 reads input pixel (p, q) + origin first.
struct Problem {
  const Tensor& in;
  Tensor out;
  Tiling tiling;
  int64_t origin;
  ConvEpilogue epilogue;
};

/// Room for tiles [position][tile][channel] of both sides of the products.
struct Workspace {
  kernels::PositionLayout in, out;

  Workspace(int64_t positions, int64_t tiles, int64_t in_stride, int64_t out_stride, float* data) {
    in = tile_major(data, tiles, in_stride);
    out = tile_major(data + positions * in.position_stride, tiles, out_stride);
  }
  static int64_t floats(int64_t positions, int64_t tiles, int64_t in_stride, int64_t out_stride) {
    return positions * (position_stride(tiles, in_stride) + position_stride(tiles, out_stride));
  }
};

/// out[tile] = in[tile] * filters for one position and the panels [panel_begin, panel_end).
void multiply(const Filters& filters, int64_t position, const Workspace& space, int64_t tiles, int64_t panel_begin,
              int64_t panel_end) {
  const int64_t positions = int64_t{filters.m + 2} * (filters.m + 2);
  thread_local std::vector<const float*> rows;  // reused: a steady loop allocates nothing
  thread_local std::vector<float*> out;
  const int64_t padded = round_up(tiles, kernels::kTileRows);
  rows.resize(static_cast<size_t>(padded));
  out.resize(static_cast<size_t>(padded));
  for (int64_t i = 0; i < padded; ++i) {
    const int64_t tile = std::min(i, tiles - 1);
    rows[static_cast<size_t>(i)] = space.in.data + position * space.in.position_stride + tile * space.in.tile_stride;
    out[static_cast<size_t>(i)] = space.out.data + position * space.out.position_stride + tile * space.out.tile_stride;
  }
  const PackedLayout& layout = filters.layout;
  // Who multiplies all panels goes on with the next position's first.
  const bool all_panels = panel_end - panel_begin == layout.panels() && position + 1 < positions;
  const float* base = filters.data.data() + position * filters.position_stride;
  for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
    for (const DepthBlock& block : layout.blocks) {
      PackedLayout::Next next = layout.next(block, panel, panel_end);
      if (next.floats == 0 && all_panels)
        next = {filters.position_stride, layout.panel_columns(0) * layout.blocks[0].depth()};
      kernels::gather_panel({.rows = rows.data(),
                             .taps = 1,
                             .tap_begin = 0,
                             .tap_end = 1,
                             .channel_begin = block.channel_begin,
                             .channel_end = block.channel_end,
                             .b = base + layout.offset(block, panel),
                             .out = out.data(),
                             .count = tiles,
                             .column_begin = panel * layout.width,
                             .column_end = panel * layout.width + layout.panel_columns(panel),
                             .accumulate = block.depth_begin > 0,
                             .next_b = next.floats > 0 ? base + next.offset : nullptr,
                             .next_floats = next.floats});
    }
  }
}

/// Few channels: each task takes a block of tiles through all three steps, in its own cache, where the filters stay
/// too.
void run_by_tiles(const Problem& problem, const Filters& filters, int64_t tiles_per_task) {
  ChannelMoments* moments = problem.epilogue.moments;
  const Tiling& tiling = problem.tiling;
  const PictureCut cut(tiling.images, tiling.image_tiles(), tiles_per_task, kernels::kTileRows);
  const int64_t positions = tiling.positions();
  const int64_t in_stride = tile_stride(problem.in.channels()), out_stride = tile_stride(problem.out.channels());
  const ZeroRow zeros(problem.in.channels());
  if (moments != nullptr) moments->start(cut.pictures, cut.blocks, problem.out.channels());
  const auto floats = [&](int64_t count) {
    return static_cast<size_t>(Workspace::floats(positions, count, in_stride, out_stride));
  };
  announce_scratch(floats(cut.largest()));
  parallel_for(cut.tasks(), [&](int64_t task) {
    const int64_t begin = cut.begin(task), end = cut.end(task), count = end - begin;
    const Workspace space(positions, count, in_stride, out_stride, thread_scratch(floats(count)));
    kernels::winograd_input(tiling.m, read_tiles(problem.in, tiling, tiling.m + 2, problem.origin, begin, end, zeros),
                            space.in, 0);
    for (int64_t p = 0; p < positions; ++p) multiply(filters, p, space, count, 0, filters.layout.panels());
    store_tiles(problem.out, tiling, begin, end, problem.epilogue, space.out, 0);
    if (moments != nullptr) add_moments(problem.out, tiling, cut, begin, end, moments);
  });
}

/// Many channels: all tiles of a chunk step by step, the products shared out by position and panel, so that each
/// transformed filter is read once per chunk.
void run_by_positions(const Problem& problem, const Filters& filters, int64_t tile_bytes) {
  ChannelMoments* moments = problem.epilogue.moments;
  const Tiling& tiling = problem.tiling;
  const PictureCut cut(tiling.images, tiling.image_tiles(), /*tiles of a transform task=*/6, 1);
  const int64_t chunk_tasks = even_chunk(cut, tile_bytes);
  const int64_t chunk_tiles = std::min(chunk_tasks * cut.largest(), tiling.count());
  const int64_t positions = tiling.positions(), panels = filters.layout.panels();
  const int64_t in_stride = tile_stride(problem.in.channels()), out_stride = tile_stride(problem.out.channels());
  const ZeroRow zeros(problem.in.channels());
  if (moments != nullptr) moments->start(cut.pictures, cut.blocks, problem.out.channels());
  const Scratch<float> room(Workspace::floats(positions, chunk_tiles, in_stride, out_stride));
  for (int64_t first = 0; first < cut.tasks(); first += chunk_tasks) {
    const int64_t tasks = std::min(chunk_tasks, cut.tasks() - first);
    const int64_t chunk = cut.begin(first), count = cut.begin(first + tasks) - chunk;
    const Workspace space(positions, chunk_tiles, in_stride, out_stride, room.data());
    parallel_for(tasks, [&](int64_t task) {
      const int64_t begin = cut.begin(first + task), end = cut.end(first + task);
      kernels::winograd_input(tiling.m, read_tiles(problem.in, tiling, tiling.m + 2, problem.origin, begin, end, zeros),
                              space.in, begin - chunk);
    });
    const int64_t task_panels = panels < 8 ? 2 : 4;
    const int64_t groups = (panels + task_panels - 1) / task_panels;
    parallel_for(positions * groups, [&](int64_t task) {
      const int64_t panel = task % groups * task_panels;
      multiply(filters, task / groups, space, count, panel, std::min(panel + task_panels, panels));
    });
    parallel_for(tasks, [&](int64_t task) {
      const int64_t begin = cut.begin(first + task), end = cut.end(first + task);
      store_tiles(problem.out, tiling, begin, end, problem.epilogue, space.out, begin - chunk);
      if (moments != nullptr) add_moments(problem.out, tiling, cut, begin, end, moments);
    });
  }
}

void run(const Problem& problem, const Filters& filters) {
  const int64_t tiles = problem.tiling.count();
  if (tiles == 0) return;
  const int64_t in = round_up(problem.in.channels(), 16), out = round_up(problem.out.channels(), 16);
  const int64_t tile_floats = problem.tiling.positions() * (in + out);
  if (in * out <= 128 * 128) {
    run_by_tiles(problem, filters, tiles_in_cache(tile_floats, 96));
  } else {
    run_by_positions(problem, filters, tile_floats * static_cast<int64_t>(sizeof(float)));
  }
  if (problem.epilogue.moments != nullptr) problem.epilogue.moments->finish();
}

}  // namespace

bool applies(const Shape& w, const Conv2dOptions& options) { return w[1] == 3 && w[2] == 3 && options.stride == 1; }

int64_t part_channels(int m, const Shape& w) {
  const int64_t channel_bytes = int64_t{m + 2} * (m + 2) * w[0] * static_cast<int64_t>(sizeof(float));
  const int64_t most = std::max<int64_t>((int64_t{32} << 20) / channel_bytes, 256);
  const int64_t parts = std::max<int64_t>((w[3] + most - 1) / most, 1);
  return round_up((w[3] + parts - 1) / parts, 64);
}

Filters transform_filters(int m, const Tensor& w, bool transposed) {
  const int64_t out_channels = w.dim(0), in_channels = w.dim(3);
  Filters filters;
  filters.m = m;
  filters.layout = transposed ? PackedLayout(1, out_channels, in_channels) : PackedLayout(1, in_channels, out_channels);
  // A line more than the matrix: the positions of one filter then fall into different cache sets.
  filters.position_stride = filters.layout.floats() + 16;
  filters.data = Tensor::empty({int64_t{m + 2} * (m + 2) * filters.position_stride});
  const PackedLayout& layout = filters.layout;
  const int64_t panels = layout.panels();
  parallel_for(static_cast<int64_t>(layout.blocks.size()) * panels, [&](int64_t task) {
    const DepthBlock& block = layout.blocks[static_cast<size_t>(task / panels)];
    const int64_t panel = task % panels, column = panel * layout.width;
    const int64_t columns = std::min(layout.width, layout.columns - column);
    const kernels::PositionLayout to = {filters.data.data() + layout.offset(block, panel),
                                        filters.position_stride,
                                        layout.width,
                                        0,
                                        layout.panel_columns(panel),
                                        layout.panel_columns(panel)};
    // Forward: depth is c and columns are k. Transposed: the other way round.
    const int64_t k = transposed ? block.channel_begin : column, c = transposed ? column : block.channel_begin;
    kernels::winograd_weights(m, {w.row(k * 9) + c, w.row_stride()}, transposed ? block.channels() : columns,
                              transposed ? columns : block.channels(), transposed, to);
  });
  return filters;
}

Tensor conv2d(const Tensor& x, const Filters& filters, const ConvEpilogue& epilogue, const Conv2dOptions& options) {
  const int64_t shrink = 2 * options.dilation - 2 * options.padding;
  const int64_t p = x.dim(1) - shrink, q = x.dim(2) - shrink;
  Problem problem{x, Tensor::activation({x.dim(0), p, q, filters.layout.columns}),
                  Tiling(filters.m, x.dim(0), p, q, options.dilation), -options.padding, epilogue};
  run(problem, filters);
  return problem.out;
}

Tensor conv2d(int m, const Tensor& x, const Tensor& w, const ConvEpilogue& epilogue, const Conv2dOptions& options) {
  Tensor y = epilogue.residual;
  const int64_t channels = x.channels(), part = part_channels(m, w.shape());
  for (int64_t begin = 0; begin < channels; begin += part) {
    const int64_t end = std::min(begin + part, channels);
    const Filters filters = transform_filters(m, w.channel_slice(begin, end), /*transposed=*/false);
    const bool last = end == channels;
    const ConvEpilogue step = {.bias = begin == 0 ? epilogue.bias : Tensor(),
                               .residual = y,
                               .relu = last && epilogue.relu,
                               .moments = last ? epilogue.moments : nullptr};
    y = conv2d(x.channel_slice(begin, end), filters, step, options);
  }
  return y;
}

Tensor conv2d_backward_input(int m, const Tensor& dy, const Tensor& w, const Shape& x_shape,
                             const Conv2dOptions& options) {
  Tensor dx = Tensor::activation(x_shape);
  const int64_t channels = x_shape[3], part = part_channels(m, w.shape());
  for (int64_t begin = 0; begin < channels; begin += part) {
    const int64_t end = std::min(begin + part, channels);
    // The adjoint of a correlation is the correlation with the rotated filter, shifted to the other side.
    const Problem problem{dy,
                          dx.channel_slice(begin, end),
                          Tiling(m, x_shape[0], x_shape[1], x_shape[2], options.dilation),
                          options.padding - 2 * options.dilation,
                          {}};
    run(problem, transform_filters(m, w.channel_slice(begin, end), /*transposed=*/true));
  }
  return dx;
}

}  // namespace giza::ops::winograd
