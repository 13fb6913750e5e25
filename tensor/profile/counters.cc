// Hardware counters by perf_event_open.
#include "tensor/profile/counters.h"

#include <fmt/format.h>

#ifdef __linux__
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#endif

namespace giza::profile {

#ifdef __linux__

namespace {

int open_counter(uint64_t config, int thread, int group) {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_HARDWARE;
  attributes.config = config;
  attributes.read_format = PERF_FORMAT_GROUP;
  attributes.exclude_kernel = 1;
  attributes.exclude_hv = 1;
  return static_cast<int>(syscall(SYS_perf_event_open, &attributes, thread, -1, group, PERF_FLAG_FD_CLOEXEC));
}

std::string explain(int error) {
  switch (error) {
    case EACCES:
    case EPERM:
      return "the kernel refuses perf_event_open (lower /proc/sys/kernel/perf_event_paranoid to 2, or run with "
             "CAP_PERFMON; containers often forbid it)";
    case ENOENT:
    case EOPNOTSUPP:
    case ENODEV:
      return "this machine shows no hardware counters (a virtual machine without a virtual PMU)";
    case ENOSYS:
      return "this kernel has no perf_event_open, or a container forbids it";
    default:
      return fmt::format("perf_event_open failed: {}", std::strerror(error));
  }
}

}  // namespace

HardwareCounters::HardwareCounters() {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task", ignored)) {
    if (!open_thread(std::atoi(entry.path().filename().c_str()))) {
      why_not_ = explain(errno);
      close_all();
      return;
    }
  }
  if (groups_.empty()) why_not_ = "/proc/self/task cannot be read";
}

bool HardwareCounters::open_thread(int thread) {
  const int group = open_counter(PERF_COUNT_HW_CPU_CYCLES, thread, -1);
  if (group < 0) return false;
  groups_.push_back(group);
  for (const uint64_t config : {uint64_t{PERF_COUNT_HW_INSTRUCTIONS}, uint64_t{PERF_COUNT_HW_CACHE_MISSES}}) {
    const int member = open_counter(config, thread, group);
    if (member < 0) return false;
    members_.push_back(member);
  }
  return true;
}

void HardwareCounters::close_all() {
  for (const int descriptor : members_) close(descriptor);
  for (const int descriptor : groups_) close(descriptor);
  members_.clear();
  groups_.clear();
}

Counts HardwareCounters::read() const {
  Counts total;
  for (const int group : groups_) {
    std::array<uint64_t, 4> values{};  // their number, then each
    if (::read(group, values.data(), sizeof values) == static_cast<ssize_t>(sizeof values)) {
      total += {values[1], values[2], values[3]};
    }
  }
  return total;
}

#else

HardwareCounters::HardwareCounters() : why_not_("only Linux has perf_event_open") {}
bool HardwareCounters::open_thread(int) { return false; }
void HardwareCounters::close_all() {}
Counts HardwareCounters::read() const { return {}; }

#endif

HardwareCounters::~HardwareCounters() { close_all(); }

}  // namespace giza::profile
