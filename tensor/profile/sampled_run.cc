// Running some of a program's kernels only.
#include "tensor/profile/sampled_run.h"

#include <cassert>
#include <utility>

#include "tensor/dry_run.h"

namespace giza::profile {
namespace {

constinit thread_local SampledRun* active_run = nullptr;

}  // namespace

SampledRun::SampledRun(Choose choose) : choose_(std::move(choose)) {
  assert(active_run == nullptr);
  active_run = this;
  ++giza::detail::simulations;
}

SampledRun::~SampledRun() {
  --giza::detail::simulations;
  active_run = nullptr;
}

SampledRun* SampledRun::active() { return active_run; }

void SampledRun::enter(const Work& work) {
  chosen_.push_back(choose_(work));
  around_.push_back(std::exchange(giza::detail::tasks_off, !chosen_.back()));
}

void SampledRun::leave() {
  giza::detail::tasks_off = around_.back();
  around_.pop_back();
}

}  // namespace giza::profile
