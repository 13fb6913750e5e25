// How much memory this process has, and how much it can still take.
#include "tensor/base/memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace giza {
namespace {

/// The number behind `name` in a file of lines "name number ...".
std::optional<int64_t> entry(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string key;
    int64_t value = 0;
    if (words >> key >> value && key == name) return value;
  }
  return std::nullopt;
}

/// The same of a number of kB, in bytes.
std::optional<int64_t> kilobytes(const std::string& path, const std::string& name) {
  const std::optional<int64_t> value = entry(path, name);
  return value ? std::optional(*value << 10) : std::nullopt;
}

/// The number that a file holds; none for "max".
std::optional<int64_t> number(const std::string& path) {
  std::ifstream file(path);
  int64_t value = 0;
  if (file >> value) return value;
  return std::nullopt;
}

/// Lowers the limit by a control group's and its parents'. Pages of files that were not used lately do not count: they
/// are dropped when memory is asked for.
void apply_group(const std::string& mount, std::string group, const char* limit_file, const char* usage_file,
                 const char* inactive, MemoryLimit* limit) {
  while (true) {
    const std::string folder = mount + (group == "/" ? "" : group);
    const auto most = number(folder + "/" + limit_file), used = number(folder + "/" + usage_file);
    if (most && used) {
      const int64_t left = std::max<int64_t>(0, *most - *used + entry(folder + "/memory.stat", inactive).value_or(0));
      if (left < limit->bytes) *limit = {left, "control group " + group};
    }
    if (group.empty() || group == "/") return;
    group.resize(group.find_last_of('/'));
    if (group.empty()) group.push_back('/');  // not = "/", which g++ 12 warns of without reason
  }
}

}  // namespace

std::optional<int64_t> available_bytes(const std::string& root) {
  return kilobytes(root + "/proc/meminfo", "MemAvailable:");
}

MemoryLimit memory_limit(const std::string& root) {
  MemoryLimit limit{available_bytes(root).value_or(INT64_MAX), "free memory"};
  // "4:memory:/jobs/7" in version 1, "0::/jobs/7" in version 2.
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = fmt::format(",{},", line.substr(first + 1, second - first - 1));
    const std::string group = line.substr(second + 1);
    if (controllers == ",,") {
      apply_group(root + "/sys/fs/cgroup", group, "memory.max", "memory.current", "inactive_file", &limit);
    } else if (controllers.find(",memory,") != std::string::npos) {
      apply_group(root + "/sys/fs/cgroup/memory", group, "memory.limit_in_bytes", "memory.usage_in_bytes",
                  "total_inactive_file", &limit);
    }
  }
  return limit;
}

int64_t resident_bytes(const std::string& root) { return kilobytes(root + "/proc/self/status", "VmRSS:").value_or(0); }

int64_t peak_resident_bytes() { return kilobytes("/proc/self/status", "VmHWM:").value_or(0); }

void forget_peak() { std::ofstream("/proc/self/clear_refs") << "5"; }

int64_t most_bytes(const std::string& root) {
  const int64_t limit = memory_limit(root).bytes;
  const int64_t more = resident_bytes(root) + kilobytes(root + "/proc/meminfo", "SwapFree:").value_or(0);
  return limit + std::min(INT64_MAX - limit, more);
}

}  // namespace giza
