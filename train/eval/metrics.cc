// Counts of predicted against true classes, and the figures made from them.
#include "train/eval/metrics.h"

#include <algorithm>
#include <numeric>

#include "tensor/base/check.h"

namespace giza::train {
namespace {

constexpr double kEpsilon = 1e-10;  // semseg's

double ratio(int64_t part, int64_t whole) {
  return static_cast<double>(part) / (static_cast<double>(whole) + kEpsilon);
}

}  // namespace

int64_t Metrics::pixels() const {
  return std::accumulate(classes.begin(), classes.end(), int64_t{0},
                         [](int64_t sum, const ClassMetrics& figures) { return sum + figures.pixels; });
}

ClassSums& ClassSums::operator+=(const ClassSums& other) {
  right += other.right;
  truth += other.truth;
  predicted += other.predicted;
  return *this;
}

ConfusionMatrix::ConfusionMatrix(int classes) : classes_(classes) {
  check(classes >= 1 && classes <= 65536, "metrics: {} classes", classes);
  counts_.resize(static_cast<size_t>(classes) * static_cast<size_t>(classes));
}

void ConfusionMatrix::add(std::span<const int32_t> prediction, std::span<const int32_t> truth, int32_t ignore_label) {
  check(prediction.size() == truth.size(), "metrics: {} predictions for {} pixels", prediction.size(), truth.size());
  const auto count = static_cast<uint32_t>(classes_);
  for (size_t i = 0; i < truth.size(); ++i) {
    if (truth[i] == ignore_label) continue;
    check(static_cast<uint32_t>(truth[i]) < count && static_cast<uint32_t>(prediction[i]) < count,
          "metrics: pixel {} is {} and was predicted as {}, expected 0 to {}", i, truth[i], prediction[i],
          classes_ - 1);
  }
  for (size_t i = 0; i < truth.size(); ++i) {
    if (truth[i] == ignore_label) continue;
    ++counts_[static_cast<size_t>(truth[i]) * count + static_cast<size_t>(prediction[i])];
  }
}

void ConfusionMatrix::add(const ConfusionMatrix& other) {
  check(classes_ == other.classes_, "metrics: {} classes and {}", classes_, other.classes_);
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
}

std::vector<ClassSums> ConfusionMatrix::sums() const {
  std::vector<ClassSums> sums(static_cast<size_t>(classes_));
  for (int truth = 0; truth < classes_; ++truth) {
    for (int prediction = 0; prediction < classes_; ++prediction) {
      const int64_t count = at(truth, prediction);
      sums[static_cast<size_t>(truth)].truth += count;
      sums[static_cast<size_t>(prediction)].predicted += count;
    }
    sums[static_cast<size_t>(truth)].right = at(truth, truth);
  }
  return sums;
}

Metrics figures_of(std::span<const ClassSums> classes) {
  Metrics result;
  int64_t all_right = 0, all = 0;
  int present = 0;
  for (const ClassSums& sums : classes) {
    const int64_t either = sums.predicted + sums.truth - sums.right;
    const ClassMetrics figures{ratio(sums.right, either), ratio(sums.right, sums.truth), sums.truth, either > 0};
    result.classes.push_back(figures);
    result.miou += figures.iou;
    result.macc += figures.acc;
    present += figures.present;
    all_right += sums.right;
    all += sums.truth;
  }
  // Absent classes have an IoU of exactly 0, so one sum serves both means.
  result.miou_present = present > 0 ? result.miou / present : 0;
  const auto count = static_cast<double>(std::max<size_t>(classes.size(), 1));
  result.miou /= count;
  result.macc /= count;
  result.all_acc = ratio(all_right, all);
  return result;
}

}  // namespace giza::train
