// A moving average of a network's weights over the steps of its training.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "layers/module.h"

namespace giza::train {

/// average += (1 - d) (weight - average) after every step, of all parameters and running statistics. A step's weights
/// swing around what they are heading for; their average lies nearer to it (Polyak & Juditsky, 1992). At step t,
/// counted from 1, d is the smaller of `decay` and (1 + t) / (10 + t), so that the random start is soon forgotten
/// (TensorFlow's ExponentialMovingAverage with num_updates).
class WeightAverage {
 public:
  /// Begins with the weights as they are. The model must outlive it.
  WeightAverage(const layers::Module& model, double decay);

  /// Begins anew with the weights as they are now.
  void restart() const;
  /// Takes in the weights after `step` steps.
  void update(int64_t step);
  /// Exchanges the model's weights with the averages, and back.
  void exchange();

  /// What stands beside the model now: the averages, or while they are exchanged the weights; [K,R,S,C] or [C].
  struct Entry {
    std::string name;
    Tensor average, weight;
  };
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
  double decay_;
};

/// The model has the averages for as long as this lives; nothing where `average` is null.
class WithAverage {
 public:
  explicit WithAverage(WeightAverage* average) : average_(average) {
    if (average_ != nullptr) average_->exchange();
  }
  ~WithAverage() {
    if (average_ != nullptr) average_->exchange();
  }
  WithAverage(const WithAverage&) = delete;
  WithAverage& operator=(const WithAverage&) = delete;

 private:
  WeightAverage* average_;
};

}  // namespace giza::train
