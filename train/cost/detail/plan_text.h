// What the texts of a plan are made of.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "train/cost/plan.h"

namespace giza::train {

std::string in_gb(int64_t bytes);
/// "3.21 s", "45 ms".
std::string in_seconds(double s);
/// As long as it takes: a training may take months.
std::string duration(double s);
/// The lines of a peak and whether it fits.
std::string memory_text(const MemoryPlan& memory, const MemoryLimit& limit);
nlohmann::ordered_json to_json(const MemoryPlan& memory);
/// Null for 0.
nlohmann::ordered_json known(double value);

/// Plan::ranks, which has rows.
std::string ranks_text(const Plan& plan, const Config& config);
nlohmann::ordered_json ranks_json(const Plan& plan);

}  // namespace giza::train
