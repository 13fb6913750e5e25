// Running a program for its memory and its list of kernels, without its arithmetic.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "tensor/storage.h"

namespace giza {

class Arena;

/// While one lives, this thread's tensors come from an arena of their own, which has addresses for far more than this
/// machine's memory, and parallel_for runs no task: ops check shapes, allocate, cut their work and free as ever, but
/// compute nothing, so that a training step takes milliseconds and touches hardly any memory. What arena_statistics()
/// then says is what the real run would need, by the real run's own code. Numbers in tensors are undefined: nothing may
/// branch on them. Tensors made meanwhile must not outlive it. Not to be nested; one thread's affair.
class DryRun {
 public:
  /// `threads`: those of the run that is rehearsed, each of which has a scratch of its own.
  explicit DryRun(int threads);
  ~DryRun();
  DryRun(const DryRun&) = delete;
  DryRun& operator=(const DryRun&) = delete;

 private:
  friend void announce_scratch(size_t floats);
  std::vector<std::shared_ptr<Storage>> scratch_;
  std::unique_ptr<Arena> arena_;
};

/// Before a parallel_for whose tasks call thread_scratch(floats): in a DryRun this stands for their asking, and
/// otherwise does nothing.
void announce_scratch(size_t floats);

/// True while results may not be what they should, because some arithmetic is left out: inside a DryRun or a
/// profile::SampledRun.
bool simulating();

namespace detail {
/// Where true, parallel_for returns at once.
extern constinit thread_local bool tasks_off;
extern constinit thread_local int simulations;

/// The arena of this thread's allocations from now on; null: the process's own. Returns the one before.
Arena* use_arena(Arena* arena);
}  // namespace detail

}  // namespace giza
