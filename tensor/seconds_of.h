// How long something takes.
#pragma once

#include <chrono>

namespace giza {

/// Seconds that body() takes, by the steady clock.
template <class Body>
double seconds_of(Body&& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace giza
