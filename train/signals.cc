// SIGINT, SIGTERM and SIGHUP as a flag.
#include "train/signals.h"

#include <atomic>
#include <csignal>
#include <iterator>

namespace giza::train {
namespace {

// Set by a handler and read by any thread: a lock-free atomic is the one type that the standard allows both.
std::atomic<int> pending = 0;
static_assert(std::atomic<int>::is_always_lock_free);
constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
struct sigaction previous[std::size(kSignals)];
int guards = 0;  // that live

extern "C" void remember_signal(int signal) { pending = signal; }

}  // namespace

SignalGuard::SignalGuard() {
  if (guards++ > 0) return;
  pending = 0;
  struct sigaction action = {};
  action.sa_handler = remember_signal;
  sigemptyset(&action.sa_mask);
  // SA_RESETHAND: the second signal finds the default action. SA_RESTART: reads and writes under way go on.
  action.sa_flags = static_cast<int>(SA_RESTART | SA_RESETHAND);
  for (size_t i = 0; i < std::size(kSignals); ++i) {
    sigaction(kSignals[i], nullptr, &previous[i]);
    // nohup. (SIGINT is ignored in every background command of a script, where `kill -INT` still means it.)
    const bool unwanted = kSignals[i] == SIGHUP && previous[i].sa_handler == SIG_IGN;
    if (!unwanted) sigaction(kSignals[i], &action, nullptr);
  }
}

SignalGuard::~SignalGuard() {
  if (--guards > 0) return;
  for (size_t i = 0; i < std::size(kSignals); ++i) sigaction(kSignals[i], &previous[i], nullptr);
}

int pending_signal() { return pending; }

}  // namespace giza::train
