// Running some of a program's kernels only, to time each kind of them.
#pragma once

#include <functional>
#include <vector>

#include "tensor/profile/profile.h"

namespace giza::profile {

/// While one lives beside a Recording, this thread's kernels (profile::Scope) for which `choose` says no do nothing;
/// what is in no kernel runs as ever. A network repeats its blocks: a step in which each kind of kernel runs a few
/// times tells how long a whole one takes, where its tensors really lie. Numbers are then undefined, as in a DryRun.
class SampledRun {
 public:
  using Choose = std::function<bool(const Work& work)>;
  explicit SampledRun(Choose choose);
  ~SampledRun();
  SampledRun(const SampledRun&) = delete;
  SampledRun& operator=(const SampledRun&) = delete;

  /// What was chosen, for each kernel event of the recording in its order.
  const std::vector<bool>& chosen() const { return chosen_; }

  // Called by the recorder.
  static SampledRun* active();
  void enter(const Work& work);
  void leave();

 private:
  Choose choose_;
  std::vector<bool> chosen_, around_;  // around_: whether tasks were off, of the open kernels
};

}  // namespace giza::profile
