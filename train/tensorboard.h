// What a training run shows in TensorBoard (docs/tensorboard.md).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "train/eval/evaluator.h"
#include "train/report/event_file.h"
#include "train/train_log.h"

namespace giza::train {

/// Scalars train/loss, main_loss, aux_loss, accuracy, lr and images_per_second; val/mIoU, mAcc and allAcc; and pictures
/// val/picture_0 to 3, the same at each validation: input, truth and prediction side by side. Steps are iterations
/// done. The numbers are those of log.jsonl, as floats.
class TensorBoard {
 public:
  /// A new event file in `folder` for a run that stands at `iteration`. As EventFile's constructor throws. Classes
  /// without one of `colors` get voc_color.
  TensorBoard(const std::string& folder, int64_t iteration, std::vector<Color> colors);

  void write_steps(int64_t iteration, double learning_rate, const StepMeans& means);

  /// Watches one evaluation of `dataset` (EvaluateOptions::watch): keeps what write_validation shows. This object must
  /// outlive the result.
  PredictionWatch watch(const Dataset& dataset);
  void write_validation(int64_t iteration, const Evaluation& evaluation, const Dataset& dataset);

 private:
  EventFile file_;
  std::vector<Color> colors_;
  std::map<int64_t, LabelMap> predictions_;  // of the pictures to be shown, by index; empty until predicted
};

}  // namespace giza::train
