// What the profile commands share: the machine's measured peaks, and one convolution by every algorithm and backend.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/command.h"
#include "tensor/profile/peak.h"

namespace giza::cli {

nlohmann::ordered_json peak_json(const MachinePeak& peak);
/// One line for people.
std::string peak_line(const MachinePeak& peak);

/// giza profile --op: runs and prints the contest that `op` ("conv2d SPEC") names; 1 if an error of a kernel of ours is
/// outside its bound. Throws Refusal for another op or a bad spec. runs 0: as many as fit into some seconds.
int profile_op(const std::string& op, int runs, const Common& common);

}  // namespace giza::cli
