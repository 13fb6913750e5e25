// How many threads there are, and the way to them.
#include "tensor/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <system_error>
#include <thread>

#include "tensor/base/check.h"
#include "tensor/detail/team.h"
#include "tensor/dry_run.h"
#include "tensor/profile/profile.h"
#include "tensor/storage.h"

namespace giza {
namespace {

constexpr int kMostThreads = 1024;

/// OMP_NUM_THREADS, which the job scripts of clusters set, else the processors that this process may run on.
int default_threads() {
  if (const char* set = std::getenv("OMP_NUM_THREADS")) {
    int threads = 0;
    const auto [end, error] = std::from_chars(set, set + std::strlen(set), threads);
    if (error == std::errc() && threads >= 1 && threads <= kMostThreads && (*end == 0 || *end == ',')) return threads;
  }
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return std::clamp(CPU_COUNT(&allowed), 1, kMostThreads);
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kMostThreads);
}

std::atomic<int>& thread_count() {
  static std::atomic<int> count = default_threads();
  return count;
}

/// Never destroyed: its helpers wait in it until the process ends.
detail::Team& team() {
  static detail::Team* const team = new detail::Team;
  return *team;
}

}  // namespace

int num_threads() { return thread_count(); }

void set_num_threads(int threads) {
  check<Error>(threads >= 1 && threads <= kMostThreads, "threads: {} is not in 1..{}", threads, kMostThreads);
  thread_count() = threads;
}

void check_threads_start() {
  const int wanted = num_threads();
  try {
    team().grow(wanted - 1);
  } catch (const std::system_error& error) {
    throw Error(
        fmt::format("{} threads cannot be started, only {} ({}); use --threads {}, or raise the limit that holds "
                    "them back (ulimit -u, ulimit -v, or pids.max of the control group)",
                    wanted, team().helpers() + 1, error.code().message(), team().helpers() + 1));
  }
}

void detail::run_tasks(int64_t tasks, TaskFunction function, void* context) {
  if (tasks_off) return;
  if (tasks <= 1 || detail::Team::in_task()) {
    for (int64_t task = 0; task < tasks; ++task) function(context, task);
    return;
  }
  check_threads_start();
  const int helpers = num_threads() - 1;
  if (!profile::on()) {
    team().run(helpers, tasks, function, context);
    return;
  }
  profile::RegionScope region(tasks);
  auto timed = [&](int64_t task) { region.time(task, [&] { function(context, task); }); };
  team().run(
      helpers, tasks, [](void* each, int64_t task) { (*static_cast<decltype(timed)*>(each))(task); }, &timed);
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
