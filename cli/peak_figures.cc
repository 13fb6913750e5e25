// The machine's measured peaks.
#include "cli/peak_figures.h"

#include <fmt/format.h>

#include "tensor/parallel.h"

namespace giza::cli {

nlohmann::ordered_json peak_json(const MachinePeak& peak) {
  return {{"core_gflops", peak.core_gflops},
          {"all_gflops", peak.all_gflops},
          {"copy_gbs", peak.copy_gbs},
          {"stream_gbs", peak.stream_gbs}};
}

std::string peak_line(const MachinePeak& peak) {
  const bool busy = num_threads() > 1 && peak.all_gflops < 1.2 * peak.core_gflops;
  return fmt::format(
      "peaks measured in this run: {:.0f} GFLOP/s FMA ({:.0f} on one core), {:.1f} GB/s copying, {:.1f} with "
      "non-temporal stores{}",
      peak.all_gflops, peak.core_gflops, peak.copy_gbs, peak.stream_gbs,
      busy ? "\nother programs keep this machine busy: do not trust these figures" : "");
}

}  // namespace giza::cli
