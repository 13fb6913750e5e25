// The worst and the best pictures of an evaluation, kept small while it runs.
#include "train/eval/examples.h"

#include <algorithm>

#include "tensor/base/check.h"
#include "train/draw/shrink.h"

namespace giza::train {
namespace {

/// Puts an example into a sorted list of at most `limit`. `before(a, b)`: score a ranks before score b.
template <class Before>
void keep(std::vector<Example>& list, const Example& example, size_t limit, Before&& before) {
  const auto place =
      std::find_if(list.begin(), list.end(), [&](const Example& other) { return before(example.score, other.score); });
  list.insert(place, example);
  if (list.size() > limit) list.pop_back();
}

std::vector<Example> first(const std::vector<Example>& list, int64_t count) {
  const auto kept = std::min(static_cast<std::ptrdiff_t>(count), static_cast<std::ptrdiff_t>(list.size()));
  return {list.begin(), list.begin() + kept};
}

}  // namespace

void ExampleKeeper::offer(int64_t picture, double score, const Pair& pair, const LabelMap& prediction) {
  ++offered_;
  const auto limit = static_cast<size_t>(std::max(each_, 0));
  if (limit == 0) return;
  const bool bad = worst_.size() < limit || score < worst_.back().score;
  const bool good = best_.size() < limit || score >= best_.back().score;
  if (!bad && !good) return;
  check(prediction.width == pair.labels.width && prediction.height == pair.labels.height,
        "examples: a prediction of {} x {} for labels of {} x {}", prediction.width, prediction.height,
        pair.labels.width, pair.labels.height);
  const Example example{picture,
                        score,
                        pair.image.width,
                        pair.image.height,
                        shrink_image(pair.image, max_side_),
                        shrink_labels(pair.labels, max_side_),
                        shrink_labels(prediction, max_side_)};
  if (bad) keep(worst_, example, limit, [](double a, double b) { return a < b; });
  if (good) keep(best_, example, limit, [](double a, double b) { return a >= b; });
}

// With at most 2 * each pictures the lists would share some; the worse half, rounded up, is the worst.
std::vector<Example> ExampleKeeper::worst() const { return first(worst_, (offered_ + 1) / 2); }
std::vector<Example> ExampleKeeper::best() const { return first(best_, offered_ / 2); }

}  // namespace giza::train
