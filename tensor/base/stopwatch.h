// How long something takes, by the steady clock.
#pragma once

#include <chrono>

namespace giza {

/// Runs from its construction.
class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  void restart() { start_ = Clock::now(); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
};

/// Seconds that body() takes.
template <class Body>
double seconds_of(Body&& body) {
  const Stopwatch watch;
  body();
  return watch.seconds();
}

}  // namespace giza
