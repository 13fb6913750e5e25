// Peak memory of commands, and how much a program may take.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

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

struct MemoryLimit {
  int64_t bytes = 0;
  std::string source;  ///< "free memory" or "control group /jobs/7"
};

/// Memory that the machine has left, page caches counted as free; `root` as below.
std::optional<int64_t> available_bytes(const std::string& root = "");
/// What this process can still take: the machine's available memory, or what its control groups (version 1 or 2) leave,
/// where that is less. `root` stands before /proc and /sys; for tests.
MemoryLimit memory_limit(const std::string& root = "");

/// Resident memory of this process now, and at most since it began or forget_peak was called, where the system knows how.
int64_t resident_bytes();
int64_t peak_resident_bytes();
void forget_peak();

}  // namespace giza::train
