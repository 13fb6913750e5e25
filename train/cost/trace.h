// A recording as a trace for Perfetto (ui.perfetto.dev) or Chrome (about:tracing).
#pragma once

#include <string>
#include <vector>

#include "tensor/profile/profile.h"

namespace giza::train {

/// Complete events in the Trace Event Format, a JSON object: spans, layers and kernels nest by time in one track.
/// Times are in microseconds since the recording began; a kernel's args hold its shape, algorithm, work and rates.
std::string trace_json(const std::vector<profile::Event>& events, const std::string& title);

}  // namespace giza::train
