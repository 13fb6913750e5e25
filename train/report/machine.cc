// What machine this is, for reports.
#include "train/report/machine.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <ctime>

#include "tensor/base/machine.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"

namespace giza::train {

std::vector<ReportFact> machine_facts() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return {{"giza", fmt::format("{}, built by {}", GIZA_VERSION, compiler_name())},
          {"processor", fmt::format("{}, {} processors", processor_name(), sysconf(_SC_NPROCESSORS_ONLN))},
          {"SIMD target", fmt::format("{} (of {})", isa(), fmt::join(isa_targets(), ", "))},
          {"threads", fmt::format("{} by {}", num_threads(), thread_backend())},
          {"memory",
           fmt::format("{:.1f} GB; this process used at most {:.2f} GB", static_cast<double>(physical_memory()) / 1e9,
                       static_cast<double>(usage.ru_maxrss) * 1024 / 1e9)},
          {"system", system_name()}};
}

std::string now_utc() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} UTC", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour,
                     utc.tm_min);
}

std::string duration_text(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "unknown";
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto minutes = static_cast<int64_t>(seconds / 60);
  if (minutes < 60) return fmt::format("{} min {:02} s", minutes, static_cast<int64_t>(seconds) % 60);
  return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
}

}  // namespace giza::train
