// parallel_for: every task once, exceptions, nesting, scratch memory.
#include "tensor/parallel.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "tensor/base/check.h"
#include "tests/support/scopes.h"

namespace giza {
namespace {

/// Runs `body` at 1, 2, 3 and 8 threads and restores the number.
template <class Body>
void at_each_thread_count(Body&& body) {
  for (int threads : {1, 2, 3, 8}) {
    CAPTURE(threads);
    const ThreadScope scope(threads);
    body();
  }
}

TEST_CASE("parallel_for: every task exactly once") {
  at_each_thread_count([] {
    for (int64_t tasks : {0, 1, 2, 3, 7, 100, 1000}) {
      std::vector<int> count(static_cast<size_t>(tasks));
      parallel_for(tasks, [&](int64_t task) { ++count[static_cast<size_t>(task)]; });
      CHECK(count == std::vector<int>(static_cast<size_t>(tasks), 1));
    }
  });
}

TEST_CASE("parallel_ranges: ranges depend on the grain only and cover all items") {
  at_each_thread_count([] {
    for (int64_t items : {0, 1, 9, 10, 11, 95}) {
      std::vector<std::pair<int64_t, int64_t>> ranges(static_cast<size_t>((items + 9) / 10));
      parallel_ranges(items, 10, [&](int64_t begin, int64_t end) {
        ranges[static_cast<size_t>(begin / 10)] = {begin, end};
      });
      for (size_t i = 0; i < ranges.size(); ++i) {
        CHECK(ranges[i].first == static_cast<int64_t>(i) * 10);
        CHECK(ranges[i].second == std::min<int64_t>(items, static_cast<int64_t>(i) * 10 + 10));
      }
    }
  });
}

TEST_CASE("parallel_for: an exception reaches the caller, and the next call works") {
  at_each_thread_count([] {
    for (int64_t bad : {0, 5, 99}) {
      CHECK_THROWS_WITH_AS(parallel_for(100,
                                        [&](int64_t task) {
                                          if (task == bad) throw std::runtime_error("task failed");
                                        }),
                           "task failed", std::runtime_error);
    }
    CHECK_THROWS_AS(parallel_for(100, [](int64_t) { throw ShapeError("all fail"); }), ShapeError);
    std::atomic<int> done = 0;
    parallel_for(100, [&](int64_t) { ++done; });
    CHECK(done == 100);
  });
}

TEST_CASE("parallel_for: nested calls run in the task's own thread") {
  at_each_thread_count([] {
    std::vector<int> count(12 * 15);
    parallel_for(12, [&](int64_t outer) {
      int64_t local = 0;  // no other thread may touch it
      parallel_for(15, [&](int64_t inner) {
        ++local;
        ++count[static_cast<size_t>(outer * 15 + inner)];
      });
      if (local != 15) throw std::runtime_error("inner tasks ran elsewhere");
    });
    CHECK(count == std::vector<int>(12 * 15, 1));
    CHECK_THROWS_AS(parallel_for(3, [](int64_t) { parallel_for(3, [](int64_t) { throw std::logic_error("deep"); }); }),
                    std::logic_error);
    // A task that failed must leave its thread able to run in parallel again.
    std::vector<int> after(50);
    parallel_for(50, [&](int64_t task) { ++after[static_cast<size_t>(task)]; });
    CHECK(after == std::vector<int>(50, 1));
  });
}

TEST_CASE("parallel_for: regions of several callers at once, and many short ones") {
  at_each_thread_count([] {
    constexpr int kCallers = 3, kRegions = 2000, kTasks = 5;
    std::vector<int> count(kCallers * kTasks);
    {
      std::vector<std::jthread> callers;
      for (int caller = 0; caller < kCallers; ++caller) {
        callers.emplace_back([&count, caller] {
          for (int region = 0; region < kRegions; ++region) {
            parallel_for(kTasks, [&](int64_t task) {
              if (task == 1) std::this_thread::yield();  // in the middle of a region
              ++count[static_cast<size_t>(caller * kTasks + task)];
            });
          }
        });
      }
    }
    CHECK(count == std::vector<int>(kCallers * kTasks, kRegions));
  });
}

TEST_CASE("parallel_for: returns when the last task has ended, whoever has it") {
  at_each_thread_count([] {
    for (int round = 0; round < 5; ++round) {
      std::vector<int> done(8);
      parallel_for(8, [&](int64_t task) {
        std::this_thread::sleep_for(std::chrono::milliseconds(task % 3 + 1));
        done[static_cast<size_t>(task)] = 1;
      });
      CHECK(done == std::vector<int>(8, 1));
    }
  });
}

TEST_CASE("parallel_for: nobody is kept busy between regions") {
  const ThreadScope scope(8);
  parallel_for(100, [](int64_t) {});
  const std::clock_t before = std::clock();  // processor time of all threads
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  CHECK(static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC < 0.1);
  std::atomic<int> done = 0;
  parallel_for(100, [&](int64_t) { ++done; });
  CHECK(done == 100);
}

TEST_CASE("set_num_threads: range") {
  const int before = num_threads();
  CHECK(before >= 1);
  CHECK_THROWS_AS(set_num_threads(0), Error);
  CHECK_THROWS_AS(set_num_threads(-3), Error);
  CHECK_THROWS_AS(set_num_threads(1025), Error);
  CHECK(num_threads() == before);
}

TEST_CASE("thread_scratch: aligned, private to a thread, grows, and is reused") {
  float* first = thread_scratch(100);
  CHECK(reinterpret_cast<uintptr_t>(first) % 64 == 0);
  CHECK(thread_scratch(50) == first);
  CHECK(thread_scratch(100) == first);
  at_each_thread_count([] {
    std::atomic<int> faults = 0;
    parallel_for(64, [&](int64_t task) {
      const auto size = static_cast<size_t>(1000 + task * 100);
      float* scratch = thread_scratch(size);
      for (size_t i = 0; i < size; ++i) scratch[i] = static_cast<float>(task);
      for (size_t i = 0; i < size; ++i) faults += scratch[i] != static_cast<float>(task);
    });
    CHECK(faults == 0);
  });
}

}  // namespace
}  // namespace giza
