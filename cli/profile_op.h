// giza profile --op: one convolution by every algorithm and backend.
#pragma once

#include <string>

#include "cli/command.h"

namespace giza::cli {

/// Runs and prints the contest that `op` ("conv2d SPEC") names; 1 if an error of a kernel of ours is outside its bound. Throws Refusal for
/// another op or a bad spec. runs 0: as many as fit into some seconds.
int profile_op(const std::string& op, int runs, const Common& common);

}  // namespace giza::cli
