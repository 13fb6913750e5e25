// The processes that share one run: "ranks", as MPI calls them. Built without MPI, or not started by it, there is one,
// and nothing here costs anything. tensor/ranks.cc alone knows MPI.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/base/check.h"

namespace giza::ranks {

/// Another rank failed, and has told of it; this one has only to end.
class Elsewhere : public Error {
 public:
  using Error::Error;
};

/// Ranks have died. what() is a sentence that names them.
class NoAnswer : public Error {
 public:
  NoAnswer(const std::string& what, bool first) : Error(what), first_(first) {}
  /// Of those that still answer this is the first rank, which tells people.
  bool first() const { return first_; }

 private:
  bool first_;
};

/// The place that the launcher (mpirun, srun) gave this process, read from the environment; 0 of 1 without a launcher
/// or without MPI in the build.
struct Place {
  int rank = 0, count = 1;
  int on_machine = 1;  ///< ranks on this machine, as far as the launcher says
};
Place launched_as();
/// "Open MPI 4.1.4", or "" where the build has no MPI.
std::string library();

/// While one lives, the ranks of a launch are joined. At most one in a program, made and used by its main thread.
/// Without it, count() is 1.
class Session {
 public:
  /// Throws Error where the others do not come.
  Session();
  /// Waits for the others.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
};

int count();
int own();

/// While one lives, this process takes itself for one of many, to find out what it would do then. Only where arithmetic
/// is left out (simulating(), tensor/dry_run.h): there nothing is sent, and what would come from others is undefined.
/// Not to be nested.
class Imagined {
 public:
  explicit Imagined(const Place& place);
  ~Imagined();
  Imagined(const Imagined&) = delete;
  Imagined& operator=(const Imagined&) = delete;
};
/// The rank that prints and writes.
inline bool leads() { return own() == 0; }

/// Ends the processes of all ranks with this exit status, at once and without another word from them. Called where this
/// rank failed and has said why.
[[noreturn]] void abandon(int status);
/// Whether another rank has said that it failed, or does within this time.
bool failed_elsewhere(std::chrono::milliseconds patience);
/// Asked while this rank waits for others; true (a signal came) means that it shall find out whether they live.
void set_impatience(std::function<bool()> impatient);

// What follows is called by all ranks in the same order, and waits for them; each throws NoAnswer where this rank is
// impatient and others are dead, and Elsewhere where another rank failed. Of one rank, and where arithmetic is left out
// (simulating(), tensor/dry_run.h), they send nothing and do not wait.

/// The texts of all ranks, in their order; where arithmetic is left out, this rank's alone.
std::vector<std::string> gather(std::string_view text);
/// The text of rank 0.
std::string from_leader(std::string_view text);
double from_leader(double value);
/// The numbers of rank 0, in place.
void from_leader(std::span<float> values);
/// counts[r] numbers of each rank r, one rank's behind the other's; `own` are this rank's.
void gather(std::span<const double> own, std::span<const int> counts, double* all);
/// The sums of all ranks' numbers, added in the ranks' order.
std::vector<double> sums(const std::vector<double>& values);
/// The largest of all ranks' numbers.
int64_t largest(int64_t value);

// Numbers under way. Messages between two ranks arrive in the order in which they are sent; the arrays must stay where
// they are until finish() returns.

/// Over TCP large arrays travel in pieces of so many bytes, between which other messages pass.
inline constexpr int kPieceBytes = 128 * 1024;

void start_send(int to, std::span<const float> values);
void start_receive(int from, std::span<float> values);
/// Waits for all that was started.
void finish();

}  // namespace giza::ranks
