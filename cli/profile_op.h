// giza profile --op: one convolution by every algorithm and backend.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cli/command.h"
#include "tensor/peak.h"

namespace giza::cli {

/// Runs and prints the contest that `op` ("conv2d SPEC") names; 1 if an error of a kernel of ours is outside its bound. Throws Refusal for
/// another op or a bad spec. runs 0: as many as fit into some seconds.
int profile_op(const std::string& op, int runs, const Common& common);

/// The better of two measurements of each: what else runs on a machine only ever slows it down.
MachinePeak faster(const MachinePeak& a, const MachinePeak& b);
nlohmann::ordered_json peak_json(const MachinePeak& peak);
/// One line for people.
std::string peak_line(const MachinePeak& peak);

}  // namespace giza::cli
