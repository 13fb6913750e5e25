// The training loop.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "tensor/base/check.h"
#include "train/config/config.h"
#include "train/eval/evaluator.h"

namespace giza::train {

struct TrainResult {
  int64_t iterations = 0;                ///< steps of the whole schedule done, those before a resume included
  int64_t steps = 0;                     ///< of them, in this call
  double loss = 0;                       ///< the last one logged, a mean over some steps; NaN without one
  double seconds = 0;                    ///< of this call
  std::string checkpoint;                ///< the last one written
  std::optional<Evaluation> validation;  ///< the last one
};

/// Loss, gradient, statistics or weights became NaN or infinite.
class Diverged : public Error {
 public:
  /// `op_known`: an op's output or gradient went wrong, and tracing names it.
  Diverged(const std::string& what, bool op_known) : Error(what), op_known_(op_known) {}
  bool op_known() const { return op_known_; }

 private:
  bool op_known_;
};

/// Called after each step with the number of steps done so far and the step's loss.
using StepObserver = std::function<void(int64_t iteration, double loss)>;

/// Trains as the configuration says, in the folder TRAIN.save_path: config.yaml (resolved), log.jsonl, checkpoints,
/// report.html (after each validation, or without any at each checkpoint).
/// The same configuration gives the same bits at any number of threads and workers, and across resumes.
///
/// log.jsonl holds one object per line:
///   {"type": "train", iteration, epoch, lr, loss, main_loss, aux_loss, accuracy, images_per_second, seconds}: every
///   print_freq iterations and at the end of each epoch; losses are means over the iterations since the line before;
///   {"type": "validation", iteration, epoch, protocol, mIoU, mAcc, allAcc, mIoU_present, seconds}.
///
/// SIGINT, SIGTERM and SIGHUP (train/signals.h; train() holds the guard) finish the step, save, and throw Interrupted.
/// NaN or infinity in loss, gradient or running statistics throws Diverged before the update, naming the iteration, the
/// parameter or buffer, and the samples. Throws Refusal for data, weights or checkpoints that do not fit.
TrainResult train(const Config& config, const StepObserver& after_step = {});

/// Throws Refusal for what train() would refuse before its first step, whatever is in the run folder already unless the
/// training is to go on from it. Leaves nothing behind.
void check_training_starts(const Config& config);

}  // namespace giza::train
