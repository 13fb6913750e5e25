// Which of Highway's SIMD targets the kernels use.
#pragma once

#include <string>
#include <vector>

namespace giza {

/// Targets compiled in that this machine can run, best first: for example AVX3 (AVX-512), AVX2, SSE4, SCALAR.
std::vector<std::string> isa_targets();
/// The target in use; at first the best.
std::string isa();
/// Selects a target by name for all later kernel calls; "auto" selects the best. Throws Refusal for a name that this
/// machine cannot run. Not to be called while ops run.
void set_isa(const std::string& name);

}  // namespace giza
