// A training under way: what trainer.cc (the loop) and training_run.cc (where it begins, what it keeps) share.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/scene_parser.h"
#include "tensor/base/file.h"
#include "tensor/base/stopwatch.h"
#include "tensor/ops/batch_share.h"
#include "train/checkpoint.h"
#include "train/config/config.h"
#include "train/config/parts.h"
#include "train/data/loader.h"
#include "train/label_rounds.h"
#include "train/progress.h"
#include "train/run_folder.h"
#include "train/tensorboard.h"
#include "train/train_log.h"
#include "train/trainer.h"

namespace giza::train {

/// All ranks of a run (tensor/ranks.h) go through the same steps; the one that leads alone reads and writes the run
/// folder.
class TrainingRun {
 public:
  explicit TrainingRun(const Config& config);
  TrainResult run(const StepObserver& after_step);
  /// Where it was when it had to stop without saving.
  std::string standing() const;

 private:
  void start();
  void resume();
  void open_log();
  models::ParserLoss forward(const Batch& batch);
  double step(const Batch& batch, double learning_rate);
  void save();
  void record(const std::function<void()>& write);
  void begin_round(const LabelRound& round);
  void train_round(const StepObserver& after_step);
  void validate_if_due();
  void write_report();
  void stop_on_signal();

  int64_t epoch() const { return iteration_ / iterations_per_epoch_; }
  bool at_epoch_end() const { return iteration_ > 0 && iteration_ % iterations_per_epoch_ == 0; }
  double run_seconds() const { return (log_ ? log_->earlier_seconds() : 0) + watch_.seconds(); }

  const Config& config_;
  const TrainConfig& train_;
  const ops::BatchShare share_;
  Dataset dataset_;       // before the folder: a bad list must not leave an empty one
  const KeptFiles kept_;  // what is read
  RunFolder folder_;
  LabelRounds labels_;
  std::unique_ptr<Dataset> validation_set_;
  std::optional<FoundCheckpoint> found_;  // until it is read
  models::NetworkOptions model_options_;
  std::unique_ptr<models::SceneParser> model_;
  std::unique_ptr<Sgd> optimizer_;
  std::unique_ptr<WeightAverage> average_;  // null where the weights are not averaged
  ops::CrossEntropyOptions loss_options_;
  std::map<std::string, std::string> card_;
  int64_t iterations_per_epoch_, iterations_;
  LrSchedule schedule_;

  int64_t iteration_ = 0;  // steps done
  StepSums sums_;          // since the last line of the log
  StepTimes times_;        // of those of them that this process did
  Stopwatch watch_;
  std::vector<std::string> notes_, warnings_;  // what start() has to tell
  std::unique_ptr<TrainLog> log_;              // null where another rank writes it
  std::unique_ptr<TensorBoard> tensorboard_;   // null where it is off
  std::unique_ptr<Progress> progress_;
  TrainResult result_;
};

}  // namespace giza::train
