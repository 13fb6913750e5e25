// Peak memory of commands.
#pragma once

#include <cstdint>

#include "tensor/base/memory.h"
#include "train/config/config.h"
#include "train/cost/pictures.h"
#include "train/cost/rehearsal.h"

namespace giza::train {

/// Peak memory of a command, by what holds it.
struct MemoryPlan {
  int64_t process = 0;  ///< program, libraries, threads
  int64_t tensors = 0;  ///< the arena: weights, gradients, activations, workspace
  int64_t data = 0;     ///< decoded pictures, samples made ahead, what making them takes
  int64_t files = 0;    ///< a checkpoint while it is written; weights while they are read
  int64_t peak() const { return process + tensors + data + files; }
  int64_t resident() const { return process + tensors; }  ///< without pictures and files
};

/// Of `giza train` with this configuration, whose dry run is given. Nothing is validated where the width is 0.
MemoryPlan training_memory(const Config& config, const Rehearsal& rehearsal, const Pictures& pictures,
                           PictureSize validated, int64_t process);
/// Of `giza eval` likewise.
MemoryPlan test_memory(const Config& config, const Rehearsal& rehearsal, const Pictures& pictures, int64_t process);

/// Threads that make samples.
int workers_of(const Config& config);
/// All pictures of a list with their labels, decoded; and as much of them as TRAIN.cache_mb keeps.
int64_t decoded_bytes(const Pictures& pictures);
int64_t cache_bytes(const Config& config, const Pictures& pictures);

}  // namespace giza::train
