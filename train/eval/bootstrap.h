// How far a mean IoU could have come out otherwise, had other pictures of the same kind been judged.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "train/eval/metrics.h"

namespace giza::train {

/// The sums of one class in one picture.
struct PictureClass {
  int32_t label = 0;
  ClassSums sums;
};

struct Interval {
  double low = 0, high = 0;
};

/// The percentile bootstrap (Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13): as many
/// pictures as there are, drawn with replacement, give a mean IoU; of many such draws the middle 95 % are the interval.
struct BootstrapResult {
  Interval miou;          ///< over all classes, a class that a draw lacks counting 0
  Interval miou_present;  ///< over the classes of each draw
  int64_t pictures = 0;
  int resamples = 0;  ///< 0: there was nothing to draw from
};

inline constexpr int kBootstrapResamples = 2000;
inline constexpr uint64_t kBootstrapSeed = 20170401;
inline constexpr double kBootstrapLevel = 0.95;
/// With fewer pictures the interval is a rough guide: the percentile bootstrap is known to be too narrow then.
inline constexpr int64_t kBootstrapFewPictures = 30;

/// `pictures`: per picture the classes with a pixel in truth or prediction. Draw number i of resample r is Philox's
/// word i % 4 for the counter {i / 4, r, 0, "boot"} under `seed`, so the same pictures give the same bits at any number
/// of threads.
BootstrapResult bootstrap_miou(std::span<const std::vector<PictureClass>> pictures, int classes,
                               int resamples = kBootstrapResamples, uint64_t seed = kBootstrapSeed);

/// The value below which `share` of the sorted values lie, interpolated linearly between its neighbours (the default of
/// numpy.percentile; Hyndman & Fan, 1996, definition 7). The values must not be empty.
double percentile(std::span<const double> sorted, double share);

}  // namespace giza::train
