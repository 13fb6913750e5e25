// The worst and the best pictures of an evaluation, kept small while it runs.
#pragma once

#include <cstdint>
#include <vector>

#include "train/data/dataset.h"
#include "train/data/image/image.h"

namespace giza::train {

/// A picture with its truth and prediction, made smaller: colours by averaging, labels by picking. The labels are one
/// of each pixel, or one of the whole picture.
struct Example {
  int64_t picture = 0;  ///< its place in Evaluation::pictures
  double score = 0;
  int width = 0, height = 0;  ///< of the picture itself
  Image input;
  LabelMap truth, prediction;
};

/// Keeps the examples with the lowest and the highest scores of those offered: 2 * each at most, whatever the number of
/// pictures. Between equal scores the one that came first is the worse,
/// so that no picture is in both lists.
class ExampleKeeper {
 public:
  /// Keeps up to `each` at either end, made smaller until the longer side is at most `max_side`.
  ExampleKeeper(int each, int max_side) : each_(each), max_side_(max_side) {}

  void offer(int64_t picture, double score, const Pair& pair, const LabelMap& prediction);

  /// The worst first. With too few pictures for both, the worse half is here and the better half in best().
  std::vector<Example> worst() const;
  /// The best first.
  std::vector<Example> best() const;

 private:
  int each_, max_side_;
  int64_t offered_ = 0;
  std::vector<Example> worst_, best_;  // sorted, at most each_
};

}  // namespace giza::train
