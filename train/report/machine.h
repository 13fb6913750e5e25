// What machine this is, for reports.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/report/html_report.h"

namespace giza::train {

/// The processor's name as /proc/cpuinfo has it; "unknown" without one.
std::string processor_name();
/// "GCC 12.2.0": what this was built by.
std::string compiler_name();
/// Bytes of physical memory.
int64_t physical_memory();
/// Version, processor, SIMD target, threads, memory, what the process used of it at most, host system.
std::vector<ReportFact> machine_facts();
/// "2026-11-22 14:03 UTC"
std::string now_utc();
/// "2 h 05 min", "4.1 s"
std::string duration_text(double seconds);

}  // namespace giza::train
