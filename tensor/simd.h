// Which of Highway's SIMD targets the kernels use.
#pragma once

#include <string>
#include <vector>

namespace giza {

/// Targets compiled in that this machine can run, best first: for example AVX3 (AVX-512), AVX2, SSE4, SCALAR.
std::vector<std::string> isa_targets();
/// The target in use; at first the best.
std::string isa();
/// True for a target whose multiply-adds round once, as all of AVX2 and AVX-512, NEON and SVE do. Kernels give the same
/// bits on all of these; SSE4 and the scalar target stay within the same bounds of error, with bits of their own.
bool isa_fuses(const std::string& name);
/// Selects a target by name for all later kernel calls; "auto" selects the best. Throws Refusal for a name that this
/// machine cannot run. Not to be called while ops run.
void set_isa(const std::string& name);

}  // namespace giza
