// SIGINT, SIGTERM and SIGHUP as a flag that long work polls, so that it can finish a step and save.
#pragma once

#include "tensor/base/check.h"

namespace giza::train {

/// Thrown after the work was saved: the program exits with 128 + signal (130, 143 or 129).
class Interrupted : public Error {
 public:
  Interrupted(int signal, const std::string& what) : Error(what), signal_(signal) {}
  int signal() const { return signal_; }

 private:
  int signal_;
};

/// While one lives, the first SIGINT, SIGTERM or SIGHUP (the terminal was closed) only sets a flag; a second one ends
/// the process at once, as without a handler. A SIGHUP that the process was started to ignore (nohup) stays ignored.
/// One inside another, as of a training within a study, leaves all to the outer one: what arrived before stays pending.
/// Made and destroyed by one thread.
class SignalGuard {
 public:
  SignalGuard();
  ~SignalGuard();
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;
};

/// The signal that arrived while a SignalGuard lived, or 0. Any thread may ask.
int pending_signal();

}  // namespace giza::train
