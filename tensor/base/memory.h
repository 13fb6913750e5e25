// How much memory this process has, and how much it can still take.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace giza {

struct MemoryLimit {
  int64_t bytes = 0;
  std::string source;  ///< "free memory" or "control group /jobs/7"
};

/// Memory that the machine has left, page caches counted as free; `root` as below.
std::optional<int64_t> available_bytes(const std::string& root = "");
/// What this process can still take: the machine's available memory, or what its control groups (version 1 or 2) leave,
/// where that is less. `root` stands before /proc and /sys; for tests.
MemoryLimit memory_limit(const std::string& root = "");

/// Resident memory of this process now, and at most since it began or forget_peak was called, where the system knows
/// how.
int64_t resident_bytes(const std::string& root = "");
int64_t peak_resident_bytes();
void forget_peak();

/// The most that this process can have in all: what it has, memory_limit(), and the swap that is free. INT64_MAX where
/// the system does not say.
int64_t most_bytes(const std::string& root = "");

}  // namespace giza
