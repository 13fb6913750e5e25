// Profiling: a record of which kernel ran when, for which layer, and how much work it was.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tensor/tensor.h"

namespace giza::profile {

class HardwareCounters;

/// What the processor counted, over all threads.
struct Counts {
  uint64_t cycles = 0, instructions = 0, llc_misses = 0;

  Counts& operator+=(const Counts& other);
  Counts operator-(const Counts& other) const;
};

/// What one call of a kernel does.
struct Work {
  std::string kernel;          ///< "conv2d_forward"
  std::string shape;           ///< for people
  double flops = 0;            ///< operations of the direct algorithm; a multiplication and an addition count one each
  double bytes = 0;            ///< compulsory traffic: inputs and outputs once each
  std::string algorithm = {};  ///< where there is a choice: "direct"
  double executed_flops = -1;  ///< operations of this algorithm; negative: the same as flops
  bool leaf = false;           ///< scopes inside are how it works, and are not recorded
  int64_t messages = -1;       ///< to other ranks, which `bytes` are in; negative: work of this process alone
};

enum class Pass { forward, backward, update };
/// "forward", "backward" or "update".
const char* to_string(Pass pass);

struct Event {
  enum class Kind { span, layer, kernel };

  Kind kind = Kind::kernel;
  Pass pass = Pass::forward;
  std::string name;       ///< of a span or layer; a kernel's is work.kernel
  Work work;              ///< of a kernel
  int64_t parent = -1;    ///< index of the event around this one; -1 for none
  int64_t begin_ns = 0;   ///< since the recording began, by the steady clock
  int64_t end_ns = 0;     ///< 0 while open
  int64_t inside_ns = 0;  ///< time of the kernels directly inside this kernel
  Counts counts;          ///< of the processor, where the recording has counters
  Counts inside_counts;   ///< those of the kernels directly inside

  int64_t total_ns() const { return end_ns - begin_ns; }
  /// Time of a kernel without that of the kernels inside it.
  int64_t self_ns() const { return total_ns() - inside_ns; }
  Counts self_counts() const { return counts - inside_counts; }
};

/// A call of parallel_for from the recorded thread: what many threads may share, and the barrier at its end.
struct Region {
  int64_t event = -1;    ///< index of the innermost event around it; -1 for none
  int64_t begin_ns = 0;  ///< since the recording began
  int64_t end_ns = 0;
  std::vector<int64_t> task_ns;  ///< how long each task took, in the order in which they are handed out

  int64_t total_ns() const { return end_ns - begin_ns; }
};

/// The name of the innermost layer around an event of a recording; empty without one.
std::string layer_of(const std::vector<Event>& events, const Event& event);

/// While one lives, the scopes of this thread are recorded in it: ops are called from one thread, and their kernels
/// run in parallel inside. Recordings nest; the innermost gets the scopes.
class Recording {
 public:
  /// `counters` may be null, and must outlive the recording.
  explicit Recording(HardwareCounters* counters = nullptr);
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  /// In order of their begin. The parent of an event stands before it.
  const std::vector<Event>& events() const { return events_; }
  /// Those of more than one task, in order of their begin. One inside a task is a part of that task.
  const std::vector<Region>& regions() const { return regions_; }

 private:
  friend class Span;
  friend class Layer;
  friend class Scope;
  friend class RegionScope;
  friend std::string current_layer();
  Pass current_pass() const;
  void open(Event event);
  void close();
  void open_kernel(Work work);
  void close_kernel();

  Recording* previous_;
  HardwareCounters* counters_;
  std::vector<Event> events_;
  std::vector<Region> regions_;
  std::vector<int64_t> open_;
  int64_t start_ns_;
  int hidden_ = 0;  // scopes open inside a leaf
};

namespace detail {
extern constinit thread_local Recording* active;
}

/// True while a Recording of this thread lives.
inline bool on() { return detail::active != nullptr; }
/// The name of the innermost layer; empty outside of layers and while nothing is recorded.
std::string current_layer();

/// A part of a run, such as one step; neither layer nor kernel.
class Span {
 public:
  explicit Span(std::string_view name);
  ~Span();
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

 private:
  Recording* recording_;
};

/// While one lives, kernels count for this layer, named by its state_dict path ("layer3.2.conv2"). Without a pass, it
/// is that of what is around it.
class Layer {
 public:
  explicit Layer(std::string_view path);
  Layer(std::string_view path, Pass pass);
  ~Layer();
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;

 private:
  Recording* recording_;
};

/// One call of a kernel. `describe` returns its Work, and is called only while something is recorded: otherwise a Scope
/// costs the test of one pointer.
class Scope {
 public:
  template <class Describe>
  explicit Scope(const Describe& describe) : recording_(detail::active) {
    if (recording_ != nullptr) [[unlikely]] {
      recording_->open_kernel(describe());
    }
  }
  ~Scope() {
    if (recording_ != nullptr) [[unlikely]] {
      recording_->close_kernel();
    }
  }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  Recording* recording_;
};

/// One region, for parallel_for itself (tensor/parallel.cc). Only while something is recorded.
class RegionScope {
 public:
  explicit RegionScope(int64_t tasks);
  ~RegionScope();
  RegionScope(const RegionScope&) = delete;
  RegionScope& operator=(const RegionScope&) = delete;

  /// Calls run(), and keeps how long it took as the time of `task`. From any thread, once for each task.
  template <class Run>
  void time(int64_t task, Run&& run) {
    const int64_t begin = now_ns();
    run();
    task_ns_[static_cast<size_t>(task)] = now_ns() - begin;
  }

 private:
  static int64_t now_ns();

  Recording* recording_;
  int64_t event_, begin_ns_;
  std::vector<int64_t> task_ns_;
};

/// Bytes of the numbers of tensors, padding left out; undefined ones have none.
template <class... Tensors>
double bytes_of(const Tensors&... tensors) {
  return (0.0 + ... +
          (tensors.defined() ? static_cast<double>(sizeof(float)) * static_cast<double>(tensors.numel()) : 0.0));
}

/// For ops that go over x a few times with `flops_each` operations per element, and read and write `others` too.
template <class... Tensors>
Work elementwise(const char* kernel, double flops_each, const Tensor& x, const Tensors&... others) {
  return {.kernel = kernel,
          .shape = x.shape().str(),
          .flops = flops_each * static_cast<double>(x.numel()),
          .bytes = bytes_of(x, others...)};
}

/// Numbers that go to the other ranks, from which about as many come; or, without messages, waiting for them.
inline Work exchange(const char* kernel, int64_t messages = 0, double bytes = 0) {
  return {.kernel = kernel, .shape = {}, .flops = 0, .bytes = bytes, .messages = messages};
}

}  // namespace giza::profile
