// The machine's measured peaks, for programs and for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "tensor/profile/peak.h"

namespace giza::cli {

nlohmann::ordered_json peak_json(const MachinePeak& peak);
/// One line for people.
std::string peak_line(const MachinePeak& peak);

}  // namespace giza::cli
