// How long kernels take on this machine: measured on some shapes, predicted for others.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tensor/profile/peak.h"
#include "tensor/profile/profile.h"

namespace giza::train {

/// Seconds of kernels. What was measured is looked up by kernel, algorithm, shape and bytes; what was not is scaled
/// from the nearest that was: the same kernel of the same layer, else of any, by the work of both under this machine's
/// roofs (operations over the FMA peak, or bytes over the memory's speed, whichever takes longer).
class SpeedModel {
 public:
  explicit SpeedModel(const MachinePeak& peak) : peak_(peak) {}

  /// One pass over a piece of work: its events, and which of its kernels ran (see profile::SampledRun).
  void add(const std::vector<profile::Event>& events, const std::vector<bool>& ran);
  bool empty() const { return samples_.empty(); }

  /// Kernels of a piece of work, all together; what goes over a network takes none (train/cost/many_ranks.h).
  double seconds(const std::vector<profile::Event>& events) const;
  /// One of them.
  double seconds(const std::vector<profile::Event>& events, const profile::Event& kernel) const {
    return seconds_of(events, kernel).first;
  }
  /// Share of these seconds that comes from kernels measured on just their shapes.
  double measured_share(const std::vector<profile::Event>& events) const;
  /// By the machine's peaks and a typical share of them alone.
  double rough_seconds(const std::vector<profile::Event>& events) const;

  const MachinePeak& peak() const { return peak_; }

 private:
  struct Group {
    double seconds = 0, bound = 0;  // measured, and under the roofs
  };
  double bound(const profile::Work& work) const;
  /// Of one kernel, and whether just its shape was measured.
  std::pair<double, bool> seconds_of(const std::vector<profile::Event>& events, const profile::Event& kernel) const;

  MachinePeak peak_;
  struct Kind {
    std::vector<double> seconds;  // a mean per pass
    double bound;
    std::vector<std::string> groups;  // from the nearest on
  };
  std::map<std::string, Kind> samples_;
  std::map<std::string, Group> groups_;
};

/// A piece of work, timed.
struct Timing {
  double outside_s = 0;  ///< in no kernel, per piece
  bool whole = false;    ///< every kernel ran, not only some of each kind
};

/// The same for the kernels of one pass of measure() that leaves out what repeats itself, by peaks alone.
double rough_sample_seconds(const SpeedModel& model, const std::vector<profile::Event>& events);

/// Adds what `work`, done again and again for about `budget_s`, tells about its kernels. Whole, if that is affordable;
/// else a few calls of each kind of kernel in their places among the others, which are left out.
Timing measure(const std::function<void()>& work, double budget_s, SpeedModel* model);

}  // namespace giza::train
