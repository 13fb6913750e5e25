// Settings of the whole process for the length of a scope: what a test sets is set back, also where a check throws.
#pragma once

#include <string>

#include "tensor/parallel.h"
#include "tensor/simd.h"
#include "train/progress.h"

namespace giza {

/// A number of threads for a scope. Thousands of ops on tiny tensors take one: starting threads for each would cost far
/// more than the work, above all on a busy machine.
class ThreadScope {
 public:
  explicit ThreadScope(int threads) { set_num_threads(threads); }
  ~ThreadScope() { set_num_threads(previous_); }
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int previous_ = num_threads();
};

/// Gives the SIMD target back at the end of a scope, whatever was chosen with set_isa() in it.
class IsaScope {
 public:
  IsaScope() = default;
  ~IsaScope() { set_isa(previous_); }
  IsaScope(const IsaScope&) = delete;
  IsaScope& operator=(const IsaScope&) = delete;

 private:
  std::string previous_ = isa();
};

/// Silences progress for a scope.
class QuietScope {
 public:
  QuietScope() { train::set_progress_enabled(false); }
  ~QuietScope() { train::set_progress_enabled(true); }
  QuietScope(const QuietScope&) = delete;
  QuietScope& operator=(const QuietScope&) = delete;
};

}  // namespace giza
