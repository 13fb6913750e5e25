// What stands around a network in a file of weights: prefixes of wrappers, buffers of losses, counters, averages.
#pragma once

#include <functional>
#include <string_view>

#include "models/weights/weight_file.h"

namespace giza::models {

/// Takes off the prefix, however long, that the tensors of the network share (module., _orig_mod., model., student.,
/// ...), and leaves out what is no part of the network beside it: buffers of losses and metrics, counters, and a second
/// copy of the network that is an average of its weights. The tensors of a checkpoint's optimiser stay. What was done
/// is told in file->notes. A file in which nothing looks like a network of giza stays as it is. Throws Refusal "PLACE:
/// ..." for a second network that is no average.
void take_off_surroundings(WeightFile* file, const std::string& place);

/// True for a name in which, behind some prefix, a network of giza begins.
bool looks_like_network(std::string_view name);

/// Removes the tensors that `unwanted` says yes to, but not those of an optimiser, and tells so: "2 left out, WHY: a,
/// b".
void leave_out(WeightFile* file, const char* why, const std::function<bool(const WeightTensor&)>& unwanted);

}  // namespace giza::models
