// Threads (tensor/detail/team.h tells how they wait and wake).
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace giza {

/// Threads that parallel_for uses; at first OMP_NUM_THREADS or the number of processors this process may run on.
int num_threads();
/// Throws Error unless 1 <= threads <= 1024.
void set_num_threads(int threads);
/// Throws Error, with the number that can, if the system does not start num_threads() threads. They stay.
void check_threads_start();

namespace detail {
using TaskFunction = void (*)(void* context, int64_t task);
void run_tasks(int64_t tasks, TaskFunction function, void* context);
}  // namespace detail

/// Calls body(task) once for each task in [0, tasks), on several threads in any order. The caller cuts tasks by the
/// problem's shape, never by the thread count, and each task owns what it writes: so results do not depend on the
/// number of threads. Calls from inside a task run in that task's thread. The first exception is rethrown.
template <class Body>
void parallel_for(int64_t tasks, Body&& body) {
  using Plain = std::remove_reference_t<Body>;
  detail::run_tasks(
      tasks, [](void* context, int64_t task) { (*static_cast<Plain*>(context))(task); },
      const_cast<std::remove_const_t<Plain>*>(&body));
}

/// Calls body(begin, end) on ranges of `grain` items that cover [0, items); the last may be shorter.
template <class Body>
void parallel_ranges(int64_t items, int64_t grain, Body&& body) {
  parallel_for((items + grain - 1) / grain, [&](int64_t task) {
    const int64_t begin = task * grain;
    body(begin, begin + grain < items ? begin + grain : items);
  });
}

/// Scratch memory of the calling thread: 64-byte aligned, at least `floats` long, contents undefined, valid until the
/// same thread asks again. It grows and is then reused, so a steady loop allocates nothing.
float* thread_scratch(size_t floats);

}  // namespace giza
