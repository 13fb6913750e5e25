// Hardware counters of this process, where the kernel lets a program read them.
#pragma once

#include <string>
#include <vector>

#include "tensor/profile/profile.h"

namespace giza::profile {

/// Cycles, instructions and last-level cache misses of all threads that the process has when it is made: run something
/// in parallel before, so that the pool of threads exists. Counts user mode only.
class HardwareCounters {
 public:
  HardwareCounters();
  ~HardwareCounters();
  HardwareCounters(const HardwareCounters&) = delete;
  HardwareCounters& operator=(const HardwareCounters&) = delete;

  bool available() const { return why_not_.empty(); }
  /// One line on why there are none; empty if available.
  const std::string& why_not() const { return why_not_; }
  /// Totals so far; zeros if not available.
  Counts read() const;

 private:
  bool open_thread(int thread);
  void close_all();

  std::vector<int> groups_;   // descriptor of each thread's first counter, which reads all three
  std::vector<int> members_;  // the other two of each thread
  std::string why_not_;
};

}  // namespace giza::profile
