// How right a prediction is near the boundaries of things, and away from them.
//
// After the trimap measure of Kohli, Ladicky & Torr ("Robust higher order potentials for enforcing label consistency",
// IJCV 2009), which Chen et al. use for DeepLab (TPAMI 2018, section 4): the figures of the pixels within a band of w
// pixels around the boundaries of the truth, as a function of w.
#pragma once

#include <cstdint>
#include <vector>

#include "train/data/image/image.h"
#include "train/eval/metrics.h"

namespace giza::train {

/// The widest band that is told apart.
inline constexpr int kBoundaryReach = 32;

/// For each pixel the chessboard distance max(|dx|, |dy|) to the nearest pixel with another value: 1 for one that has
/// such a pixel among its 8 neighbours. Beyond kBoundaryReach, and where there is no other value, kBoundaryReach + 1.
/// Exact, by two passes over the picture (Rosenfeld & Pfaltz, "Distance functions on digital pictures", 1968). The edge
/// of the picture is no boundary; ignored pixels are a value like any other, so the strips that some data sets leave
/// unlabelled around things are boundaries too.
std::vector<uint8_t> boundary_distance(const LabelMap& labels);

/// Exact counts by class and distance from the truth's boundaries.
class BoundaryCounts {
 public:
  explicit BoundaryCounts(int classes);

  /// Adds the valid pixels of a picture: equal sizes, and values in [0, classes) or, in the truth, ignore_label.
  void add(const LabelMap& prediction, const LabelMap& truth, int ignore_label);
  void add(const BoundaryCounts& other);

  /// Figures of the pixels up to `width` pixels from a boundary (distance <= width), and of all others; 1 <= width <=
  /// kBoundaryReach. In each, a class that occurs in no pixel of it is absent.
  Metrics band(int width) const;
  Metrics interior(int width) const;
  /// The width to quote: 1 % of the pictures' mean diagonal, rounded, from 1 to kBoundaryReach.
  int width() const;

 private:
  Metrics figures(int first, int last) const;

  int classes_;
  int64_t pictures_ = 0;
  double diagonals_ = 0;           // sum
  std::vector<ClassSums> counts_;  // [distance][class]
};

}  // namespace giza::train
