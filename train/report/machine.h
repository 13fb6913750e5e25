// What machine this is, for reports.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/report/html_report.h"

namespace giza::train {

/// Version, processor, SIMD target, threads, memory, what the process used of it at most, host system.
std::vector<ReportFact> machine_facts();
/// "2026-11-22 14:03 UTC"
std::string now_utc();
/// "2 h 05 min", "4.1 s"
std::string duration_text(double seconds);

}  // namespace giza::train
