// What log.jsonl tells about a run, for its curves.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace giza::train {

/// A line of type "train"; NaN where a number is missing or was not finite.
struct TrainPoint {
  int64_t iteration = 0;
  double epoch = 0, rate = 0, loss = 0, main_loss = 0, aux_loss = 0, accuracy = 0, images_per_second = 0, seconds = 0;
};

/// A line of type "validation".
struct ValidationPoint {
  int64_t iteration = 0;
  double epoch = 0, miou = 0, macc = 0, all_acc = 0, miou_present = 0, images = 0;
  std::string protocol;
};

struct RunHistory {
  std::vector<TrainPoint> steps;             ///< iterations ascending
  std::vector<ValidationPoint> validations;  ///< likewise
  int64_t skipped_lines = 0;                 ///< that were none of these, a torn last one included
  bool cut = false;                          ///< the file went on beyond the limit

  bool empty() const { return steps.empty() && validations.empty(); }
  /// The validation with the highest mIoU, the earliest of equals; null without one.
  const ValidationPoint* best_validation() const;
};

/// Reads a log as TrainLog writes it, whoever wrote it: at most 64 MiB, in lines of at most 64 KiB; what is no line of
/// a log is skipped and counted. A line of an iteration that was there before, as of a run that was killed and went on
/// from an older checkpoint, replaces what came after it. Empty where there is no file.
RunHistory read_history(const std::string& path);

}  // namespace giza::train
