// What machine this is.
#pragma once

#include <cstdint>
#include <string>

namespace giza {

/// The processor's name as /proc/cpuinfo has it; "unknown" without one.
std::string processor_name();
/// "GCC 12.2.0": what this was built by.
std::string compiler_name();
/// "Linux 6.1.0, x86_64"
std::string system_name();
/// Bytes of physical memory.
int64_t physical_memory();

}  // namespace giza
