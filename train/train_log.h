// log.jsonl: what happened in a run, one JSON object per line.
#pragma once

#include <cstdint>
#include <fstream>
#include <limits>
#include <string>

#include "train/eval/evaluator.h"

namespace giza::train {

/// Sums over the steps since the last line of the log.
struct StepSums {
  int64_t steps = 0;
  double loss = 0, main_loss = 0, aux_loss = 0;
  int64_t right = 0, valid = 0;  ///< pixels
};

/// How long these steps took, with the wait for data: those of this process alone, for no checkpoint keeps times.
struct StepTimes {
  int64_t steps = 0;
  double seconds = 0;
};

/// What the log and TensorBoard show of them.
struct StepMeans {
  double loss = 0, main_loss = 0, aux_loss = 0;
  double accuracy = 0;  ///< share of the valid pixels
  double images_per_second = 0;
};
StepMeans means_of(const StepSums& sums, const StepTimes& times, int64_t batch_size);

/// The part of the log's state that a checkpoint keeps.
std::string to_json(const StepSums& sums);
/// Throws Refusal "PLACE: ..." for anything but to_json's text.
StepSums step_sums_from_json(const std::string& json, const std::string& place);

class TrainLog {
 public:
  /// Opens the log at `path` for a run that stands at `iteration`: lines of later iterations, which a killed run left
  /// behind and which will come again, are dropped, and so is a half-written last line.
  TrainLog(const std::string& path, int64_t iteration);

  /// Throws Error when writing fails.
  void write_steps(int64_t iteration, int64_t epoch, double learning_rate, const StepMeans& means, double run_seconds);
  void write_validation(int64_t iteration, int64_t epoch, const Evaluation& evaluation, double run_seconds);

  /// Iteration of the last validation in the log; -1 without one.
  int64_t last_validation() const { return last_validation_; }
  /// Of the lines that were there: the loss of the last one of type "train", NaN without one, and the run's seconds.
  double earlier_loss() const { return earlier_loss_; }
  double earlier_seconds() const { return earlier_seconds_; }

 private:
  void write(const std::string& line);

  std::string path_;
  std::ofstream stream_;
  int64_t last_validation_ = -1;
  double earlier_loss_ = std::numeric_limits<double>::quiet_NaN(), earlier_seconds_ = 0;
};

}  // namespace giza::train
