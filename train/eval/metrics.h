// Counts of predicted against true classes, and the figures made from them.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace giza::train {

struct ClassMetrics {
  double iou = 0;        ///< I / (U + 1e-10)
  double acc = 0;        ///< I / (T + 1e-10)
  int64_t pixels = 0;    ///< T, the valid pixels of this class
  bool present = false;  ///< U > 0: the class was there or was predicted
};

/// I: pixels of a class that were predicted as it; P: predicted as it; T: truly it; U = P + T - I.
struct Metrics {
  double miou = 0;          ///< over all classes, where one that is absent (U = 0) counts 0 (semseg)
  double miou_present = 0;  ///< over the classes with U > 0 (mmsegmentation)
  double macc = 0;          ///< over all classes
  double all_acc = 0;       ///< sum I / (sum T + 1e-10)
  std::vector<ClassMetrics> classes;

  int64_t pixels() const;  ///< sum T
};

/// The three sums of a class that its figures are made of.
struct ClassSums {
  int64_t right = 0;      ///< I
  int64_t truth = 0;      ///< T
  int64_t predicted = 0;  ///< P

  ClassSums& operator+=(const ClassSums& other);
};
/// The figures of classes from their sums.
Metrics figures_of(std::span<const ClassSums> classes);

/// Exact counts of pixels by true and predicted class.
class ConfusionMatrix {
 public:
  explicit ConfusionMatrix(int classes);
  /// Of counts() of another.
  ConfusionMatrix(int classes, std::vector<int64_t> counts) : classes_(classes), counts_(std::move(counts)) {}

  /// Adds pixels; those whose truth is `ignore_label` are left out. Throws ShapeError for spans of different lengths or
  /// any other value outside [0, classes), after which the counts are unchanged.
  void add(std::span<const int32_t> prediction, std::span<const int32_t> truth, int32_t ignore_label);
  void add(const ConfusionMatrix& other);

  int classes() const { return classes_; }
  int64_t at(int truth, int prediction) const {
    return counts_[static_cast<size_t>(truth) * static_cast<size_t>(classes_) + static_cast<size_t>(prediction)];
  }
  /// [truth][prediction], classes * classes of them.
  const std::vector<int64_t>& counts() const { return counts_; }
  /// Of each class.
  std::vector<ClassSums> sums() const;
  Metrics metrics() const { return figures_of(sums()); }

 private:
  int classes_;
  std::vector<int64_t> counts_;  // [truth][prediction]
};

}  // namespace giza::train
