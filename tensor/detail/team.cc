// Helpers that wait at a door.
#include "tensor/detail/team.h"

#include <hwy/cache_control.h>

#include <chrono>
#include <thread>
#include <utility>

namespace giza::detail {
namespace {

constexpr std::chrono::microseconds kActive{50};

thread_local bool inside_task = false;

/// While one lives, this thread runs tasks.
struct InTask {
  InTask() { inside_task = true; }
  ~InTask() { inside_task = false; }
  InTask(const InTask&) = delete;
  InTask& operator=(const InTask&) = delete;
};

/// Returns the value of `word` once it is another than `old`: waits awake for kActive, then asleep.
uint32_t wait_for_change(const std::atomic<uint32_t>& word, uint32_t old) {
  const auto until = std::chrono::steady_clock::now() + kActive;
  do {
    for (int i = 0; i < 16; ++i) {  // between two looks at the clock
      const uint32_t value = word.load(std::memory_order_acquire);
      if (value != old) return value;
      hwy::Pause();
    }
  } while (std::chrono::steady_clock::now() < until);
  word.wait(old, std::memory_order_acquire);
  return word.load(std::memory_order_acquire);
}

}  // namespace

void Team::grow(int helpers) {
  if (started_ >= helpers) return;
  const std::lock_guard lock(caller_);
  while (started_ < helpers) {
    std::thread([this, number = started_.load()] { help(number); }).detach();
    ++started_;
  }
}

bool Team::in_task() { return inside_task; }

void Team::run(int helpers, int64_t tasks, Function function, void* context) {
  const InTask inside;
  const std::unique_lock lock(caller_, std::try_to_lock);
  if (!lock || helpers == 0) {
    for (int64_t task = 0; task < tasks; ++task) function(context, task);
    return;
  }
  region_ = {function, context, tasks, helpers};
  failed_.store(false, std::memory_order_relaxed);
  next_.store(0, std::memory_order_relaxed);
  door_.store(0, std::memory_order_release);
  epoch_.fetch_add(1);  // sequentially consistent, as whoever falls asleep is: nobody may miss the call
  epoch_.notify_all();
  work();
  close();
  if (exception_) std::rethrow_exception(std::exchange(exception_, nullptr));
}

void Team::help(int number) {
  inside_task = true;
  uint32_t epoch = 0;
  for (;;) {
    epoch = wait_for_change(epoch_, epoch);
    if (!enter()) continue;  // came too late: the others have done it
    if (number < region_.helpers) work();
    leave();
  }
}

bool Team::enter() {
  uint32_t inside = door_.load(std::memory_order_relaxed);
  while (!(inside & kClosed)) {
    if (door_.compare_exchange_weak(inside, inside + 1, std::memory_order_acquire, std::memory_order_relaxed))
      return true;
  }
  return false;
}

void Team::leave() {
  if (door_.fetch_sub(1) - 1 == kClosed) door_.notify_one();
}

void Team::close() {
  uint32_t inside = door_.fetch_or(kClosed, std::memory_order_acquire) | kClosed;
  while (inside != kClosed) inside = wait_for_change(door_, inside);
}

void Team::work() {
  for (;;) {
    const int64_t task = next_.fetch_add(1, std::memory_order_relaxed);
    if (task >= region_.tasks || failed_.load(std::memory_order_relaxed)) return;
    try {
      region_.function(region_.context, task);
    } catch (...) {
      if (!failed_.exchange(true)) exception_ = std::current_exception();
    }
  }
}

}  // namespace giza::detail
