// Label maps that a training makes for itself: DATA.weak_labels box_crf and box_update (docs/weak-labels.md).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "train/config/config.h"
#include "train/data/dataset.h"
#include "train/eval/evaluator.h"

namespace giza::train {

/// A part of a training that learns from one set of label maps: epochs [first_epoch, end_epoch).
struct LabelRound {
  int64_t index = 0, first_epoch = 0, end_epoch = 0;
  std::string folder;  ///< below the run folder, of the maps that are made when it begins; empty: none are
};
/// The round of an epoch before TRAIN.epochs. Of E epochs and k rounds of updates, number r begins with epoch
/// floor(r E / (k + 1)). Every other training is one round.
LabelRound label_round(const Config& config, int64_t epoch);

/// The label maps of the round under way, as files that people can look at: RUN/weak_labels/ROUND/NUMBER_NAME.png,
/// indices with the classes' colours as their palette. What a round's maps are depends on the configuration, the data
/// and the weights at its beginning alone. They are made when it begins, always anew, so that a kill during that does
/// no harm; and for a run that goes on in its middle, where those weights are gone, they are read again and held
/// against a hash that its checkpoint keeps.
class LabelRounds {
 public:
  /// `masks` is the training set with its masks, weakened; it must outlive this. `run_folder`: TRAIN.save_path.
  LabelRounds(const Config& config, const Dataset& masks, std::string run_folder);

  /// The run goes on from this checkpoint, which keeps the hash.
  void resume(std::string hash, std::string checkpoint);
  /// Makes the maps of a round that begins, if it has any; `predictor` is the network as it is now. They are synced to
  /// the disk before this returns what was made, as a sentence; empty if nothing was. Throws Interrupted when a signal
  /// is pending, Refusal for bad pictures, Error when writing fails.
  std::string make(const LabelRound& round, const Predictor& predictor);
  /// Takes the maps of a round in whose middle the run goes on. Those that lie beside its checkpoint and not in the run
  /// folder are copied there. Throws Refusal where they are not those of the hash.
  void take(const LabelRound& round);

  /// The training set of the round.
  const Dataset& dataset() const { return made_ ? *made_ : masks_; }
  /// 16 hex digits over all maps of the round, for its checkpoints; empty where none were made.
  const std::string& hash() const { return hash_; }

 private:
  std::string hash_of(const std::string& folder) const;
  void use(const std::string& folder);

  const Config& config_;
  const Dataset& masks_;
  std::string run_folder_, hash_, checkpoint_;
  std::unique_ptr<const Dataset> made_;
};

}  // namespace giza::train
