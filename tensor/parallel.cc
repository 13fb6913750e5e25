// Threads: OpenMP or std::thread.
#include "tensor/parallel.h"

#include <atomic>
#include <exception>
#include <latch>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "tensor/base/check.h"
#include "tensor/dry_run.h"
#include "tensor/profile/profile.h"
#include "tensor/storage.h"

#ifdef GIZA_HAVE_OPENMP
#include <omp.h>
#endif

namespace giza {
namespace {

int default_threads() {
#ifdef GIZA_HAVE_OPENMP
  return omp_get_max_threads();
#else
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
#endif
}

std::atomic<int>& thread_count() {
  static std::atomic<int> count = default_threads();
  return count;
}

thread_local bool inside_task = false;

/// While one lives, this thread is inside a task: a parallel_for there is a part of the task.
class InsideTask {
 public:
  InsideTask() { inside_task = true; }
  ~InsideTask() { inside_task = false; }
  InsideTask(const InsideTask&) = delete;
  InsideTask& operator=(const InsideTask&) = delete;
};

// Keeps the first exception of a parallel region; none may leave a thread.
class FirstException {
 public:
  template <class F>
  void guard(F&& body) {
    if (failed_.load(std::memory_order_relaxed)) return;
    try {
      body();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failed_.exchange(true)) exception_ = std::current_exception();
    }
  }
  void rethrow() {
    if (failed_) std::rethrow_exception(exception_);
  }

 private:
  std::atomic<bool> failed_ = false;
  std::mutex mutex_;
  std::exception_ptr exception_;
};

}  // namespace

int num_threads() { return thread_count(); }

void set_num_threads(int threads) {
  check<Error>(threads >= 1 && threads <= 1024, "threads: {} is not in 1..1024", threads);
  thread_count() = threads;
}

// OpenMP's library ends the process where a thread cannot be started: so as many are started beforehand, all at once.
void check_threads_start() {
  static std::atomic<int> known = 1;
  const int wanted = num_threads();
  if (wanted <= known) return;
  std::latch all_tried(1);  // before the threads, which are joined first
  std::vector<std::jthread> threads;
  int started = 1;  // this one
  try {
    for (; started < wanted; ++started) threads.emplace_back([&] { all_tried.wait(); });
  } catch (const std::system_error& error) {
    all_tried.count_down();
    throw Error(
        fmt::format("{} threads cannot be started, only {} ({}); use --threads {}, or raise the limit that holds "
                    "them back (ulimit -u, ulimit -v, or pids.max of the control group)",
                    wanted, started, error.code().message(), started));
  }
  all_tried.count_down();
  threads.clear();
#ifdef GIZA_HAVE_OPENMP
#pragma omp parallel num_threads(wanted)
  {}  // starts them for good, while there is room
#endif
  known = wanted;
}

const char* thread_backend() {
#ifdef GIZA_HAVE_OPENMP
  return "OpenMP";
#else
  return "std::thread";
#endif
}

namespace {

/// Runs `tasks` > 1 tasks on `threads` threads.
void run_region(int threads, int64_t tasks, detail::TaskFunction function, void* context) {
  if (threads == 1) {
    const InsideTask inside;
    for (int64_t task = 0; task < tasks; ++task) function(context, task);
    return;
  }
  check_threads_start();
  FirstException error;
#ifdef GIZA_HAVE_OPENMP
  // All of them, even for fewer tasks: OpenMP's library ends those that a region does without, and starts others for the next.
#pragma omp parallel num_threads(threads)
  {
    const InsideTask inside;
    // Dynamic: on a shared machine one core is often slower. Which thread runs a task changes no result.
#pragma omp for schedule(dynamic, 1)
    for (int64_t task = 0; task < tasks; ++task) {
      error.guard([&] { function(context, task); });
    }
  }
#else
  std::atomic<int64_t> next = 0;
  auto work = [&] {
    const InsideTask inside;
    for (int64_t task = next++; task < tasks; task = next++) {
      error.guard([&] { function(context, task); });
    }
  };
  std::vector<std::jthread> helpers;
  for (int i = 1; i < std::min<int64_t>(threads, tasks); ++i) helpers.emplace_back(work);
  work();
  helpers.clear();
#endif
  error.rethrow();
}

}  // namespace

void detail::run_tasks(int64_t tasks, TaskFunction function, void* context) {
  if (tasks_off) return;
  if (tasks <= 1 || inside_task) {
    for (int64_t task = 0; task < tasks; ++task) function(context, task);
    return;
  }
  if (!profile::on()) {
    run_region(num_threads(), tasks, function, context);
    return;
  }
  profile::RegionScope region(tasks);
  auto timed = [&](int64_t task) { region.time(task, [&] { function(context, task); }); };
  run_region(
      num_threads(), tasks, [](void* each, int64_t task) { (*static_cast<decltype(timed)*>(each))(task); }, &timed);
}

float* thread_scratch(size_t floats) {
  thread_local std::shared_ptr<Storage> scratch;
  if (!scratch || scratch->floats() < floats) {
    scratch.reset();
    scratch = Storage::allocate(floats);
  }
  return scratch->data();
}

}  // namespace giza
