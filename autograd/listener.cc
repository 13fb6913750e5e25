// Hearing the ops of a forward pass.
#include "autograd/listener.h"

#include <cassert>
#include <utility>

namespace giza::autograd {

namespace detail {
constinit thread_local Listening* listening = nullptr;
}

Listening::Listening(std::function<void(const HeardOp&)> hear) : hear_(std::move(hear)) {
  assert(detail::listening == nullptr);
  detail::listening = this;
}

Listening::~Listening() { detail::listening = nullptr; }

void announce(const HeardOp& op) {
  if (detail::listening != nullptr) detail::listening->hear_(op);
}

}  // namespace giza::autograd
