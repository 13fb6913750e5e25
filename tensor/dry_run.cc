// Running a program without its arithmetic.
#include "tensor/dry_run.h"

#include <cassert>

#include "tensor/detail/arena.h"

namespace giza {

namespace detail {
constinit thread_local bool tasks_off = false;
constinit thread_local int simulations = 0;
}  // namespace detail

namespace {

// Enough for any network that somebody might ask about; a 64-bit process has 128 TB.
constexpr size_t kAddresses = size_t{8} << 40;

constinit thread_local DryRun* active = nullptr;

}  // namespace

DryRun::DryRun(int threads)
    : scratch_(static_cast<size_t>(threads)),
      // Small pages: serial code writes a few numbers here and there, each of which would cost a huge one.
      arena_(std::make_unique<Arena>(kAddresses, Arena::Pages::small)) {
  assert(active == nullptr);
  active = this;
  detail::use_arena(arena_.get());
  detail::tasks_off = true;
  ++detail::simulations;
}

DryRun::~DryRun() {
  scratch_.clear();
  assert(arena_->statistics().in_use == 0);
  --detail::simulations;
  detail::tasks_off = false;
  detail::use_arena(nullptr);
  active = nullptr;
}

void announce_scratch(size_t floats) {
  if (active == nullptr) return;
  for (std::shared_ptr<Storage>& scratch : active->scratch_) {
    if (scratch && scratch->floats() >= floats) continue;
    scratch.reset();
    scratch = Storage::allocate(floats);
  }
}

bool simulating() { return detail::simulations > 0; }

}  // namespace giza
