// What machine this is.
#include "tensor/base/machine.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>

namespace giza {

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(':');
    if (!line.starts_with("model name") || colon == std::string::npos) continue;
    const size_t start = line.find_first_not_of(" \t", colon + 1);
    if (start != std::string::npos) return line.substr(start);
  }
  return "unknown";
}

std::string compiler_name() {
#ifdef __clang__
  return __VERSION__;  // says its name itself
#else
  return "GCC " __VERSION__;
#endif
}

int64_t physical_memory() { return int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGE_SIZE); }

std::string system_name() {
  utsname name{};
  return uname(&name) == 0 ? fmt::format("{} {}, {}", name.sysname, name.release, name.machine) : "unknown";
}

}  // namespace giza
