// Which checkpoint a training goes on from, and whether it may.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "train/checkpoint.h"
#include "train/config/config.h"
#include "train/data/dataset.h"

namespace giza::train {

/// What TRAIN.resume asks for: a file, or the newest whole checkpoint of the run's folder ("auto"); nothing where the
/// run begins anew. Throws Refusal for a file that is no checkpoint, and for a folder that holds an earlier run's or
/// none that is whole.
std::optional<FoundCheckpoint> checkpoint_to_resume(const std::string& resume, const std::string& folder);

/// Throws Refusal if the run would go on from `path` otherwise than it began: with other settings, another list, or
/// fewer than the iterations it has done. More epochs are welcome, and stretch what is left of the learning rate's
/// curve; but where rounds of labels are parts of them, they would move the rounds. Returns what there is to tell.
std::vector<std::string> check_resumed(const TrainingState& state, const std::string& path, const Config& config,
                                       const Dataset& dataset, int64_t iterations);

/// "DATA.train_list: BEFORE, now NAME" where the pictures of a training come from another place than before, which is
/// still there; else empty. Settings and lists tell no such difference: they hold on every machine.
std::string moved_data(const Config& before, const Config& now);

}  // namespace giza::train
