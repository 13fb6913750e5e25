// How right a prediction is near the boundaries of things, and away from them.
#include "train/eval/boundary.h"

#include <algorithm>
#include <cmath>

#include "tensor/base/check.h"

namespace giza::train {
namespace {

constexpr uint8_t kFar = kBoundaryReach + 1;

/// Calls body(left, x, right) for each place of a row with its neighbours; itself at the edges of the picture.
template <class Body>
void for_each_place(size_t width, Body&& body) {
  body(0, 0, std::min<size_t>(1, width - 1));
  for (size_t x = 1; x + 1 < width; ++x) body(x - 1, x, x + 1);
  if (width > 1) body(width - 2, width - 1, width - 1);
}

/// out[x] = 1 where one of the 8 neighbours of row[x] has another value, else kFar. The rows above and below are row
/// itself at the edges of the picture.
void mark_touching(const uint8_t* above, const uint8_t* row, const uint8_t* below, size_t width, uint8_t* out) {
  for_each_place(width, [&](size_t left, size_t x, size_t right) {
    const uint8_t value = row[x];
    // Bits instead of conditions, so that the compiler takes many pixels at once.
    const int differs = (above[left] != value) | (above[x] != value) | (above[right] != value) | (row[left] != value) |
                        (row[right] != value) | (below[left] != value) | (below[x] != value) | (below[right] != value);
    out[x] = differs != 0 ? uint8_t{1} : kFar;
  });
}

/// row[x] = min(row[x], 1 + the least of the three pixels of `other` around x). Nothing exceeds kFar, as row does not.
void step_from_row(const uint8_t* other, size_t width, uint8_t* row) {
  for_each_place(width, [&](size_t left, size_t x, size_t right) {
    const uint8_t nearest = std::min(std::min(other[left], other[x]), other[right]);
    row[x] = std::min(row[x], static_cast<uint8_t>(nearest + 1));
  });
}

int checked(int width) {
  check(width >= 1 && width <= kBoundaryReach, "boundary: a band of {}, expected 1 to {}", width, kBoundaryReach);
  return width;
}

}  // namespace

// A pixel's distance is 1 + its chessboard distance to the nearest pixel that touches another value: on the way to the
// nearest pixel of another value, the last one before the change touches it; and a touching pixel either has another
// value itself or is one step from it.
std::vector<uint8_t> boundary_distance(const LabelMap& labels) {
  std::vector<uint8_t> distance(labels.index.size());
  if (distance.empty()) return distance;
  const auto width = static_cast<size_t>(labels.width), height = static_cast<size_t>(labels.height);
  for (size_t y = 0; y < height; ++y) {
    const uint8_t* row = &labels.index[y * width];
    uint8_t* out = &distance[y * width];
    mark_touching(y > 0 ? row - width : row, row, y + 1 < height ? row + width : row, width, out);
    if (y > 0) step_from_row(out - width, width, out);
    for (size_t x = 1; x < width; ++x) out[x] = std::min(out[x], static_cast<uint8_t>(out[x - 1] + 1));
  }
  for (size_t y = height; y-- > 0;) {
    uint8_t* out = &distance[y * width];
    if (y + 1 < height) step_from_row(out + width, width, out);
    for (size_t x = width - 1; x-- > 0;) out[x] = std::min(out[x], static_cast<uint8_t>(out[x + 1] + 1));
  }
  return distance;
}

BoundaryCounts::BoundaryCounts(int classes) : classes_(classes) {
  check(classes >= 1 && classes <= 65536, "boundary: {} classes", classes);
  counts_.resize(static_cast<size_t>(classes) * (kFar + size_t{1}));
}

void BoundaryCounts::add(const LabelMap& prediction, const LabelMap& truth, int ignore_label) {
  check(prediction.width == truth.width && prediction.height == truth.height,
        "boundary: a prediction of {} x {} for labels of {} x {}", prediction.width, prediction.height, truth.width,
        truth.height);
  const std::vector<uint8_t> distance = boundary_distance(truth);
  const auto classes = static_cast<size_t>(classes_);
  for (size_t i = 0; i < distance.size(); ++i) {
    if (truth.index[i] == ignore_label) continue;
    if (truth.index[i] >= classes || prediction.index[i] >= classes) {
      throw ShapeError(fmt::format("boundary: pixel {} is {} and was predicted as {}, expected 0 to {}", i,
                                   truth.index[i], prediction.index[i], classes - 1));
    }
    ClassSums* sums = &counts_[distance[i] * classes];
    ++sums[truth.index[i]].truth;
    ++sums[prediction.index[i]].predicted;
    if (truth.index[i] == prediction.index[i]) ++sums[truth.index[i]].right;
  }
  ++pictures_;
  diagonals_ += std::hypot(truth.width, truth.height);
}

void BoundaryCounts::add(const BoundaryCounts& other) {
  check(classes_ == other.classes_, "boundary: {} classes and {}", classes_, other.classes_);
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  pictures_ += other.pictures_;
  diagonals_ += other.diagonals_;
}

Metrics BoundaryCounts::figures(int first, int last) const {
  const auto classes = static_cast<size_t>(classes_);
  std::vector<ClassSums> sums(classes);
  for (int distance = first; distance <= last; ++distance) {
    for (size_t c = 0; c < classes; ++c) sums[c] += counts_[static_cast<size_t>(distance) * classes + c];
  }
  return figures_of(sums);
}

Metrics BoundaryCounts::band(int width) const { return figures(1, checked(width)); }

Metrics BoundaryCounts::interior(int width) const { return figures(checked(width) + 1, kFar); }

int BoundaryCounts::width() const {
  if (pictures_ == 0) return 1;
  const double mean = diagonals_ / static_cast<double>(pictures_);
  return std::clamp(static_cast<int>(std::lround(mean / 100)), 1, kBoundaryReach);
}

}  // namespace giza::train
