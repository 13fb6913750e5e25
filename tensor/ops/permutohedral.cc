// Gaussian filtering by the permutohedral lattice: how the lattice is made, and how the work on it is cut.
#include "tensor/ops/permutohedral.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "tensor/base/check.h"
#include "tensor/kernels/permutohedral.h"
#include "tensor/ops/cut.h"
#include "tensor/ops/detail/lattice_keys.h"
#include "tensor/ops/scratch.h"
#include "tensor/profile/profile.h"

namespace giza::ops {

using kernels::LatticeNeighbours;
using kernels::WeightedRow;

struct PermutohedralLattice::Parts {
  int corners = 0;                                  // of a simplex, and axes: D + 1
  int64_t points = 0;                               // rows 1 to `points`; row 0 stands for points that are not there
  std::unique_ptr<Scratch<WeightedRow>> of_pixels;  // [pixels, corners]: the points of each pixel
  std::unique_ptr<Scratch<int32_t>> starts;         // [points + 2]
  std::unique_ptr<Scratch<WeightedRow>> of_points;  // the pixels of each point, from starts[point] on
  std::unique_ptr<Scratch<LatticeNeighbours>> neighbours;  // [corners, points + 1]

  void make(const Tensor& features);
  void blur(Tensor& values, Tensor& spare, int64_t width, FilterDirection direction) const;
};

namespace {

/// A piece of the picture, whose points are found without looking at other pieces: kEmbedRun pixels wide, and so high
/// that its table stays in the L2 cache.
struct Tile {
  int64_t y = 0, x = 0, height = 0, width = 0;
  std::vector<uint64_t> keys;   // the points that it touches, in the order in which it does
  std::vector<int32_t> counts;  // how often
  std::vector<int32_t> rows;    // their numbers in the lattice
  std::vector<int32_t> places;  // where the next of its pixels goes among those of the point
};
constexpr int64_t kTileHeight = 16;

std::vector<Tile> tiles_of(int64_t height, int64_t width) {
  std::vector<Tile> tiles;
  for (int64_t y = 0; y < height; y += kTileHeight) {
    for (int64_t x = 0; x < width; x += kernels::kEmbedRun) {
      tiles.push_back(
          {y, x, std::min(kTileHeight, height - y), std::min(kernels::kEmbedRun, width - x), {}, {}, {}, {}});
    }
  }
  return tiles;
}

/// The simplices of a run of pixels, as the kernel gives them.
struct Simplices {
  static constexpr int64_t kRun = kernels::kEmbedRun;
  alignas(64) float features[LatticeKeys::kMost * kRun] = {};
  alignas(64) float weights[(LatticeKeys::kMost + 1) * kRun];
  alignas(64) int32_t cells[LatticeKeys::kMost * kRun];
  alignas(64) int32_t ranks[(LatticeKeys::kMost + 1) * kRun];

  void embed(const Tensor& all, int64_t first, int64_t count) {
    const int64_t dimension = all.channels();
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t k = 0; k < dimension; ++k) features[k * kRun + i] = all.row(first + i)[k];
    }
    kernels::lattice_embed(static_cast<int>(dimension), features, cells, ranks, weights);
  }
};

/// Finds the points of a tile's pixels: terms [pixels, corners] get their numbers in the tile, from 0 on.
void find_points(Tile& tile, const Tensor& features, const LatticeKeys& keys, WeightedRow* terms) {
  const int64_t corners = features.channels() + 1, picture_width = features.dim(2);
  const int bits = KeyTable::bits_for(tile.height * tile.width * corners);
  KeyTable table(reinterpret_cast<KeyTable::Slot*>(thread_scratch(size_t{2} << bits)), bits);
  Simplices simplices;
  for (int64_t y = tile.y; y < tile.y + tile.height; ++y) {
    const int64_t first = y * picture_width + tile.x;
    simplices.embed(features, first, tile.width);
    for (int64_t i = 0; i < tile.width; ++i) {
      int axis_of_rank[LatticeKeys::kMost + 1];
      for (int k = 0; k < corners; ++k) axis_of_rank[simplices.ranks[k * Simplices::kRun + i]] = k;
      uint64_t key = keys.corner(simplices.cells + i, Simplices::kRun);
      for (int64_t r = 0; r < corners; ++r) {
        const int32_t point = table.find_or_append(key, tile.keys) - 1;
        if (static_cast<size_t>(point) == tile.counts.size()) tile.counts.push_back(0);
        ++tile.counts[static_cast<size_t>(point)];
        terms[(first + i) * corners + r] = {point, simplices.weights[r * Simplices::kRun + i]};
        key = keys.next_corner(key, axis_of_rank[corners - 1 - r]);
      }
    }
  }
}

}  // namespace

void PermutohedralLattice::Parts::make(const Tensor& features) {
  corners = static_cast<int>(features.channels()) + 1;
  const int64_t entries = features.rows() * corners;
  check<Error>(entries < INT32_MAX, "permutohedral lattice: {} pixels are too many", features.rows());
  const LatticeKeys keys(features);
  of_pixels = std::make_unique<Scratch<WeightedRow>>(entries);
  std::vector<Tile> tiles = tiles_of(features.dim(1), features.dim(2));
  parallel_for(static_cast<int64_t>(tiles.size()),
               [&](int64_t t) { find_points(tiles[static_cast<size_t>(t)], features, keys, of_pixels->data()); });

  // The lattice's points, in the order of the tiles: neighbours in the picture are mostly near in memory then.
  int64_t found = 0;
  for (const Tile& tile : tiles) found += static_cast<int64_t>(tile.keys.size());
  const int bits = KeyTable::bits_for(found);
  const Scratch<KeyTable::Slot> slots(int64_t{1} << bits);
  KeyTable table(slots.data(), bits);
  std::vector<uint64_t> all;
  all.reserve(static_cast<size_t>(found));
  std::vector<int32_t> next(static_cast<size_t>(found) + 2);
  for (Tile& tile : tiles) {
    constexpr size_t kAhead = 16;  // a table that is not in the cache is asked before its answer is needed
    tile.rows.resize(tile.keys.size());
    for (size_t i = 0; i < tile.keys.size(); ++i) {
      if (i + kAhead < tile.keys.size()) table.prefetch(tile.keys[i + kAhead]);
      tile.rows[i] = table.find_or_append(tile.keys[i], all);
      next[static_cast<size_t>(tile.rows[i]) + 1] += tile.counts[i];
    }
  }
  points = static_cast<int64_t>(all.size());

  // A list of pixels for each point. Row 0 has none.
  starts = std::make_unique<Scratch<int32_t>>(points + 2);
  for (size_t row = 1; row < static_cast<size_t>(points) + 2; ++row) next[row] += next[row - 1];
  std::copy_n(next.begin(), points + 2, starts->data());
  for (Tile& tile : tiles) {
    tile.places.resize(tile.rows.size());
    for (size_t i = 0; i < tile.rows.size(); ++i) {
      int32_t& place = next[static_cast<size_t>(tile.rows[i])];
      tile.places[i] = place;
      place += tile.counts[i];
    }
  }
  of_points = std::make_unique<Scratch<WeightedRow>>(entries);
  const auto dimension = static_cast<float>(corners - 1);
  const float scale = 1.0F / (1.0F + std::exp2(-dimension));  // what the blurs multiply a constant's middle by
  parallel_for(static_cast<int64_t>(tiles.size()), [&](int64_t t) {
    Tile& tile = tiles[static_cast<size_t>(t)];
    for (int64_t y = tile.y; y < tile.y + tile.height; ++y) {
      for (int64_t pixel = y * features.dim(2) + tile.x, end = pixel + tile.width; pixel < end; ++pixel) {
        for (int r = 0; r < corners; ++r) {
          WeightedRow& term = (*of_pixels)[pixel * corners + r];
          const auto point = static_cast<size_t>(term.row);
          (*of_points)[tile.places[point]++] = {static_cast<int32_t>(pixel), term.weight};
          term = {tile.rows[point], term.weight * scale};
        }
      }
    }
  });

  // Each point looks for the one before it along each axis, and tells it that it is the one after.
  const int64_t rows = points + 1;
  neighbours = std::make_unique<Scratch<LatticeNeighbours>>(corners * rows);
  constexpr int64_t kPoints = 4096;  // of a task
  parallel_ranges(corners * rows, 16 * kPoints, [&](int64_t begin, int64_t end) {
    std::fill(neighbours->data() + begin, neighbours->data() + end, LatticeNeighbours{0, 0});
  });
  parallel_ranges(points, kPoints, [&](int64_t begin, int64_t end) {
    for (int axis = 0; axis < corners; ++axis) {
      LatticeNeighbours* of = neighbours->data() + axis * rows;
      constexpr int64_t kAhead = 16;
      for (int64_t i = begin; i < end; ++i) {
        if (i + kAhead < end) table.prefetch(keys.before(all[static_cast<size_t>(i + kAhead)], axis));
        const int32_t before = table.find(keys.before(all[static_cast<size_t>(i)], axis), all);
        if (before == 0) continue;
        of[i + 1].before = before;
        of[before].after = static_cast<int32_t>(i + 1);
      }
    }
  });
}

PermutohedralLattice::PermutohedralLattice(const Tensor& features)
    : PixelFilter("permutohedral lattice", features.rows()), parts_(std::make_unique<Parts>()) {
  check(features.rank() == 4 && features.dim(0) == 1 && (features.channels() == 2 || features.channels() == 5) &&
            features.numel() > 0,
        "permutohedral lattice: features {}, expected [1,H,W,2] or [1,H,W,5]", features.shape());
  const profile::Scope scope([&] { return profile::elementwise("lattice_build", 0, features); });
  parts_->make(features);
}

PermutohedralLattice::~PermutohedralLattice() = default;

int64_t PermutohedralLattice::points() const { return parts_->points; }

int64_t PermutohedralLattice::most_bytes(int64_t pixels, int dimension, int64_t classes) {
  const int64_t corners = dimension + 1, entries = pixels * corners;  // as many points, where none has two pixels
  const int64_t width = std::min(filter_width(classes), kFilterColumns);
  const int64_t structure = 2 * int64_t{sizeof(WeightedRow)} + 4 + corners * int64_t{sizeof(LatticeNeighbours)};
  // Of a tile: keys and counts, whose memory may have grown to twice their number, rows and places; of the lattice:
  // keys, counts, and a table of up to four slots.
  constexpr int64_t kMaking = 2 * (8 + 4) + 4 + 4 + 8 + 4 + 4 * int64_t{sizeof(KeyTable::Slot)};
  const int64_t values = 2 * width * int64_t{sizeof(float)};
  return entries * (structure + std::max(kMaking, values)) + pixels * (2 + dimension) * int64_t{sizeof(float)};
}

void PermutohedralLattice::Parts::blur(Tensor& values, Tensor& spare, int64_t width, FilterDirection direction) const {
  const int64_t rows = points + 1;
  for (int step = 0; step < corners; ++step) {
    const int axis = direction == FilterDirection::forward ? step : corners - 1 - step;
    parallel_ranges(rows, row_grain(2 * width), [&](int64_t begin, int64_t end) {
      kernels::lattice_blur(neighbours->data() + axis * rows, rows_from(values, 0), rows_from(spare, 0), begin, end,
                            width);
    });
    std::swap(values, spare);
  }
}

void PermutohedralLattice::run(const Tensor& x, const Tensor& base, const Tensor& y, const Factors& factors,
                               FilterDirection direction) const {
  const Parts& parts = *parts_;
  const int64_t rows = parts.points + 1;
  const profile::Scope scope([&] {
    profile::Work work = profile::elementwise("lattice_filter", 4.0 * parts.corners, x, base, y);
    const double blurred = static_cast<double>(rows) * static_cast<double>(x.channels()) * parts.corners;
    work.flops += 3 * blurred;
    work.bytes += 2 * sizeof(float) * blurred;
    return work;
  });
  for_each_filter_slice(x.channels(), [&](int64_t column, int64_t width) {
    // Row 0 has no terms, and is its own neighbour: it stays 0.
    Tensor values = Tensor::empty({rows, width}), spare = Tensor::empty({rows, width});
    parallel_ranges(rows, row_grain(2 * width), [&](int64_t begin, int64_t end) {
      kernels::lattice_splat(parts.starts->data(), parts.of_points->data(), factors.inputs, rows_from(x, 0, column),
                             rows_from(values, 0), begin, end, width);
    });
    parts.blur(values, spare, width, direction);
    parallel_ranges(pixels(), row_grain(2 * width), [&](int64_t begin, int64_t end) {
      kernels::lattice_slice(parts.of_pixels->data(), parts.corners, factors.outputs, rows_from(values, 0),
                             rows_from(base, 0, column), rows_from(y, 0, column), begin, end, width);
    });
  });
}

}  // namespace giza::ops
