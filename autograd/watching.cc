// Seeing everything that a pass makes.
#include "autograd/watching.h"

#include <utility>

#include "tensor/ops/elementwise.h"

namespace giza::autograd {

namespace detail {
constinit thread_local Watching* watching = nullptr;
}

namespace {

void refuse_non_finite(const Made& made) {
  if (ops::all_finite(made.value)) return;
  check<NonFinite>(made.input >= 0, "{} gave NaN or infinity first, in its output {}", made.op, made.value.shape());
  throw NonFinite(fmt::format("the backward pass of {} gave NaN or infinity first, in the gradient of its input {}, {}",
                              made.op, made.input, made.value.shape()));
}

}  // namespace

Watching::Watching(std::function<void(const Made&)> see)
    : see_(std::move(see)), previous_(std::exchange(detail::watching, this)) {}

Watching::~Watching() { detail::watching = previous_; }

void show(const Made& made) {
  if (detail::watching != nullptr) detail::watching->see_(made);
}

TraceNonFinite::TraceNonFinite() : watching_(refuse_non_finite) {}

}  // namespace giza::autograd
