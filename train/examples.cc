// The worst and the best pictures of an evaluation, kept small while it runs.
#include "train/examples.h"

#include <algorithm>

#include "tensor/check.h"

namespace giza::train {
namespace {

struct Size {
  int width, height;
};

Size shrunk(int width, int height, int max_side) {
  const int side = std::max(width, height);
  if (side <= max_side) return {width, height};
  const auto scaled = [&](int length) {
    return std::max(1, static_cast<int>((int64_t{length} * max_side + side / 2) / side));
  };
  return {scaled(width), scaled(height)};
}

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

Image shrink_image(const Image& image, int max_side) {
  const Size size = shrunk(image.width, image.height, max_side);
  if (size.width == image.width && size.height == image.height) return image;
  Image result(size.width, size.height);
  const auto edge = [](int i, int count, int length) { return static_cast<int>(int64_t{i} * length / count); };
  for (int y = 0; y < size.height; ++y) {
    const int top = edge(y, size.height, image.height), bottom = edge(y + 1, size.height, image.height);
    for (int x = 0; x < size.width; ++x) {
      const int left = edge(x, size.width, image.width), right = edge(x + 1, size.width, image.width);
      std::array<int64_t, 3> sum{};
      for (int v = top; v < bottom; ++v) {
        const uint8_t* from = image.at(left, v);
        for (int u = left; u < right; ++u, from += 3) {
          for (size_t c = 0; c < 3; ++c) sum[c] += from[c];
        }
      }
      const int64_t area = int64_t{bottom - top} * (right - left);
      for (size_t c = 0; c < 3; ++c) result.at(x, y)[c] = static_cast<uint8_t>((sum[c] + area / 2) / area);
    }
  }
  return result;
}

LabelMap shrink_labels(const LabelMap& labels, int max_side) {
  const Size size = shrunk(labels.width, labels.height, max_side);
  if (size.width == labels.width && size.height == labels.height) return labels;
  LabelMap result(size.width, size.height);
  const auto middle = [](int i, int count, int length) {
    return static_cast<int>((2 * int64_t{i} + 1) * length / (2 * int64_t{count}));
  };
  for (int y = 0; y < size.height; ++y) {
    const int v = middle(y, size.height, labels.height);
    for (int x = 0; x < size.width; ++x) result.at(x, y) = labels.at(middle(x, size.width, labels.width), v);
  }
  return result;
}

void ExampleKeeper::offer(int64_t picture, double score, const Pair& pair, const LabelMap& prediction) {
  ++offered_;
  const auto limit = static_cast<size_t>(std::max(each_, 0));
  if (limit == 0) return;
  const bool bad = worst_.size() < limit || score < worst_.back().score;
  const bool good = best_.size() < limit || score >= best_.back().score;
  if (!bad && !good) return;
  check(prediction.width == pair.image.width && prediction.height == pair.image.height,
        "examples: a prediction of {} x {} for a picture of {} x {}", prediction.width, prediction.height,
        pair.image.width, pair.image.height);
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
