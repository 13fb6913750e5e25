// Highway's targets by name.
#include "tensor/simd.h"

#include <fmt/ranges.h>
#include <hwy/highway.h>
#include <hwy/targets.h>

#include "tensor/base/check.h"

namespace giza {
namespace {

void choose(int64_t targets) {
  hwy::SetSupportedTargetsForTest(targets);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

std::vector<int64_t> runnable() {
  hwy::SetSupportedTargetsForTest(0);
  return hwy::SupportedAndGeneratedTargets();  // lowest bit first, which is the best target first
}

// 0 while the best target is in use.
int64_t forced = 0;

}  // namespace

std::vector<std::string> isa_targets() {
  std::vector<std::string> names;
  for (int64_t target : runnable()) names.emplace_back(hwy::TargetName(target));
  choose(forced);
  return names;
}

std::string isa() {
  const int64_t target = forced != 0 ? forced : runnable().front();
  choose(forced);
  return hwy::TargetName(target);
}

bool isa_fuses(const std::string& name) {
  return name.starts_with("AVX") || name.starts_with("NEON") || name.starts_with("SVE");
}

void set_isa(const std::string& name) {
  const std::vector<std::string> names = isa_targets();
  int64_t found = name == "auto" ? -1 : 0;
  for (int64_t target : runnable()) {
    if (name == hwy::TargetName(target)) found = target;
  }
  choose(forced);
  check<Refusal>(found != 0, "SIMD target {}: not one that this machine has; choose auto or one of {}", name,
                 fmt::join(names, ", "));
  forced = found == -1 ? 0 : found;
  choose(forced);
}

}  // namespace giza
