// SIGINT and SIGTERM as a flag.
#include "train/signals.h"

#include <atomic>
#include <csignal>

namespace giza::train {
namespace {

// Set by a handler and read by any thread: a lock-free atomic is the one type that the standard allows both.
std::atomic<int> pending = 0;
static_assert(std::atomic<int>::is_always_lock_free);
struct sigaction previous_int, previous_term;

extern "C" void remember_signal(int signal) { pending = signal; }

}  // namespace

SignalGuard::SignalGuard() {
  pending = 0;
  struct sigaction action = {};
  action.sa_handler = remember_signal;
  sigemptyset(&action.sa_mask);
  // SA_RESETHAND: the second signal finds the default action. SA_RESTART: reads and writes under way go on.
  action.sa_flags = static_cast<int>(SA_RESTART | SA_RESETHAND);
  sigaction(SIGINT, &action, &previous_int);
  sigaction(SIGTERM, &action, &previous_term);
}

SignalGuard::~SignalGuard() {
  sigaction(SIGINT, &previous_int, nullptr);
  sigaction(SIGTERM, &previous_term, nullptr);
}

int pending_signal() { return pending; }

}  // namespace giza::train
