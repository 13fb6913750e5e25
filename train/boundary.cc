// How right a prediction is near the boundaries of things, and away from them.
#include "train/boundary.h"

#include <algorithm>
#include <cmath>

#include "tensor/check.h"

namespace giza::train {
namespace {

constexpr uint8_t kFar = kBoundaryReach + 1;

/// 1 where one of the 8 neighbours has another value, else kFar.
std::vector<uint8_t> touching(const LabelMap& labels) {
  const auto width = static_cast<size_t>(labels.width), height = static_cast<size_t>(labels.height);
  std::vector<uint8_t> mark(labels.index.size(), kFar);
  // Each pair of neighbours is looked at once, from its lower or right pixel.
  const auto compare = [&](size_t a, size_t b) {
    if (labels.index[a] != labels.index[b]) mark[a] = mark[b] = 1;
  };
  for (size_t y = 0; y < height; ++y) {
    const size_t row = y * width;
    for (size_t x = 1; x < width; ++x) compare(row + x, row + x - 1);
    if (y == 0) continue;
    for (size_t x = 0; x < width; ++x) {
      // Rows mostly repeat the one above; then none of these pairs differs.
      compare(row + x, row + x - width);
      if (x > 0) compare(row + x, row + x - width - 1);
      if (x + 1 < width) compare(row + x, row + x - width + 1);
    }
  }
  return mark;
}

}  // namespace

// A pixel's distance is 1 + its chessboard distance to the nearest pixel that touches another value: on the way to the
// nearest pixel of another value, the last one before the change touches it; and a touching pixel either has another
// value itself or is one step from it.
std::vector<uint8_t> boundary_distance(const LabelMap& labels) {
  std::vector<uint8_t> distance = touching(labels);
  const auto width = static_cast<size_t>(labels.width), height = static_cast<size_t>(labels.height);
  const auto next = [&](uint8_t nearest) { return static_cast<uint8_t>(std::min<int>(nearest + 1, kFar)); };
  for (size_t y = 0; y < height; ++y) {
    uint8_t* row = &distance[y * width];
    if (y > 0) {
      const uint8_t* above = row - width;
      for (size_t x = 0; x < width; ++x) {
        const uint8_t nearest = std::min({above[x], above[x > 0 ? x - 1 : 0], above[std::min(x + 1, width - 1)]});
        row[x] = std::min(row[x], next(nearest));
      }
    }
    for (size_t x = 1; x < width; ++x) row[x] = std::min(row[x], next(row[x - 1]));
  }
  for (size_t y = height; y-- > 0;) {
    uint8_t* row = &distance[y * width];
    if (y + 1 < height) {
      const uint8_t* below = row + width;
      for (size_t x = 0; x < width; ++x) {
        const uint8_t nearest = std::min({below[x], below[x > 0 ? x - 1 : 0], below[std::min(x + 1, width - 1)]});
        row[x] = std::min(row[x], next(nearest));
      }
    }
    for (size_t x = width - 1; x-- > 0;) row[x] = std::min(row[x], next(row[x + 1]));
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
    check(truth.index[i] < classes && prediction.index[i] < classes,
          "boundary: pixel {} is {} and was predicted as {}, expected 0 to {}", i, truth.index[i], prediction.index[i],
          classes - 1);
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
  for (size_t i = 0; i < counts_.size(); ++i) {
    counts_[i].right += other.counts_[i].right;
    counts_[i].truth += other.counts_[i].truth;
    counts_[i].predicted += other.counts_[i].predicted;
  }
  pictures_ += other.pictures_;
  diagonals_ += other.diagonals_;
}

Metrics BoundaryCounts::figures(int first, int last) const {
  const auto classes = static_cast<size_t>(classes_);
  std::vector<ClassSums> sums(classes);
  for (int distance = first; distance <= last; ++distance) {
    for (size_t c = 0; c < classes; ++c) {
      const ClassSums& more = counts_[static_cast<size_t>(distance) * classes + c];
      sums[c].right += more.right;
      sums[c].truth += more.truth;
      sums[c].predicted += more.predicted;
    }
  }
  return figures_of(sums);
}

Metrics BoundaryCounts::band(int width) const {
  check(width >= 1 && width <= kBoundaryReach, "boundary: a band of {}, expected 1 to {}", width, kBoundaryReach);
  return figures(1, width);
}

Metrics BoundaryCounts::interior(int width) const {
  check(width >= 1 && width <= kBoundaryReach, "boundary: a band of {}, expected 1 to {}", width, kBoundaryReach);
  return figures(width + 1, kFar);
}

int BoundaryCounts::width() const {
  if (pictures_ == 0) return 1;
  const double mean = diagonals_ / static_cast<double>(pictures_);
  return std::clamp(static_cast<int>(std::lround(mean / 100)), 1, kBoundaryReach);
}

}  // namespace giza::train
