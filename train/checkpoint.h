// Checkpoints: everything that a run needs to go on to the same bits.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "layers/module.h"
#include "models/weights/safetensors.h"
#include "train/optim/sgd.h"
#include "train/optim/weight_average.h"
#include "train/run_folder.h"

namespace giza::train {

/// Where a run stands, beside weights and momentum.
struct TrainingState {
  int64_t iteration = 0;  ///< steps done since the start of training
  uint64_t seed = 0;
  std::string config_hash;    ///< train/config/config.h: training_hash
  std::string settings = {};  ///< training_settings; empty in files from before these were kept
  std::string list_hash;      ///< of the training list
  std::string model;          ///< options_to_json of the network
  std::string log;            ///< sums of the log line in the making, JSON
  std::string labels = {};    ///< train/label_rounds.h: hash of the label maps; empty: none were made
  std::map<std::string, std::string> card = {};  ///< train/config/card.h: what the weights say of themselves
};

/// Writes iter_NNNNNNNN.safetensors (synced and renamed), points last.safetensors at it, and then removes all but the
/// newest `keep` checkpoints. Its bytes depend on the arguments alone: no clock, path or host name is in them. Weights
/// bear semseg's names, momentum the same with "optim." before, the state is metadata, and a checksum covers it all. Of
/// an averaged training (`average` not null) the weights are the averages, and those of the last step have
/// "optim.weights." before. Throws Error when writing fails: older checkpoints are then still there.
std::string save_checkpoint(const RunFolder& folder, const layers::Module& model,
                            const std::vector<Sgd::Velocity>& velocities, const TrainingState& state, int keep,
                            WeightAverage* average = nullptr);

/// Reads a checkpoint and its checksum. Throws Refusal if the file is faulty or no checkpoint.
models::WeightFile read_checkpoint(const std::string& path);

/// The newest whole checkpoint of a folder, or what last.safetensors is or leads to where there is no other; faulty
/// ones are passed over, with the reason in `warnings`.
struct FoundCheckpoint {
  std::string path;
  models::WeightFile file;
};
std::optional<FoundCheckpoint> newest_checkpoint(const std::string& folder, std::vector<std::string>* warnings);

/// Mends last.safetensors where a run was killed after a checkpoint was written and before the link was moved: points
/// it at `path`, the newest checkpoint of the folder. Throws Error.
void mend_last(const RunFolder& folder, const std::string& path);

/// Where a run goes on from `path` though the folder has checkpoints of later iterations: gives those other names, by
/// which nothing takes them for this run's ("aside_iter_..."), and points last.safetensors at `path`, if that is in the
/// folder. Returns the names. Throws Error.
std::vector<std::string> set_aside_later(const RunFolder& folder, const std::string& path, int64_t iteration);

/// What a checkpoint says of the run. Throws Refusal if that is missing or makes no sense.
TrainingState state_of_checkpoint(const models::WeightFile& file, const std::string& path);
/// Puts weights, momentum (into `velocities`, of the right shapes) and averages back. Throws Refusal if they do not
/// fit, with all of these unchanged.
void restore_checkpoint(const models::WeightFile& file, const std::string& path, const layers::Module& model,
                        const std::vector<Sgd::Velocity>& velocities, const WeightAverage* average = nullptr);

}  // namespace giza::train
