// The threads behind parallel_for. For parallel.cc; everyone else uses tensor/parallel.h.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>

namespace giza::detail {

/// A caller and its helpers, who run the tasks of one region after the other. Made for machines on which other programs
/// run as well: a task is handed to whoever is there, and the caller waits for helpers that hold a task, never for one
/// that the system has not let run. Whoever waits does so actively for kActive, which is what a wake-up costs, and then
/// sleeps. (OpenMP's barrier waits for all threads, awake and for milliseconds: with a busy neighbour two of its
/// threads were slower than one.)
class Team {
 public:
  using Function = void (*)(void* context, int64_t task);

  /// Starts helpers until there are so many; they stay until the process ends. Throws std::system_error where the
  /// system refuses one; those started before remain.
  void grow(int helpers);
  int helpers() const { return started_; }

  /// Calls function(context, task) once for each task in [0, tasks), here and in up to `helpers` of the team; here
  /// alone while another thread's region runs. Not inside a task. Rethrows the first exception; tasks not begun by then
  /// are left out.
  void run(int helpers, int64_t tasks, Function function, void* context);

  /// True in a thread that runs a task: a region that begins there is a part of the task.
  static bool in_task();

 private:
  struct Region {
    Function function = nullptr;
    void* context = nullptr;
    int64_t tasks = 0;
    int helpers = 0;
  };

  void help(int number);
  bool enter();
  void leave();
  void close();
  void work();

  // The door of the region: how many helpers are inside, and whether no more may enter.
  static constexpr uint32_t kClosed = uint32_t{1} << 31;

  std::mutex caller_;  // held by the thread whose region runs
  std::atomic<int> started_ = 0;
  Region region_;                 // written while the door is closed, read by those inside
  std::exception_ptr exception_;  // of the first task that failed
  std::atomic<bool> failed_ = false;
  // Each on a cache line of its own: one is waited for while the others change.
  alignas(64) std::atomic<uint32_t> epoch_ = 0;  // changes when a region begins
  alignas(64) std::atomic<uint32_t> door_ = kClosed;
  alignas(64) std::atomic<int64_t> next_ = 0;  // task that nobody has taken yet
};

}  // namespace giza::detail
