// What a step that was measured here would take on a machine of many cores.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/profile/profile.h"

namespace giza::train {

/// A machine of so many cores, each as fast as one of those that were measured.
struct ManyCores {
  int cores = 1;
  double region_s = 0;       ///< what one region costs beside its tasks: waking the threads, and the barrier at its end
  double bandwidth_gbs = 0;  ///< of the memory, all cores together; 0: never what limits
};

/// What keeps a kernel's time above its share of the work. Each in seconds of the step.
struct CoresLoss {
  double serial = 0;   ///< one core works alone, outside of all regions: beyond 1/N of it
  double uneven = 0;   ///< cores wait for those that still have a task: too few tasks, or too long ones
  double regions = 0;  ///< threads are woken and wait at barriers
  double memory = 0;   ///< the memory is slower than the cores

  double sum() const { return serial + uneven + regions + memory; }
  CoresLoss& operator+=(const CoresLoss& other);
};

/// One kernel by one algorithm. Seconds of one step.
struct CoresRow {
  std::string kernel, algorithm;
  int64_t calls = 0, regions = 0, tasks = 0;
  double measured_s = 0;       ///< as it ran
  double one_core_s = 0;       ///< all of its work, one task after the other
  double cores_s = 0;          ///< on the cores, tasks handed out in the order of their numbers, as parallel_for does
  double longest_first_s = 0;  ///< if the longest task were handed out first
  CoresLoss loss;              ///< cores_s = one_core_s / N + loss.sum()

  double efficiency(int cores) const { return cores_s > 0 ? one_core_s / (cores_s * cores) : 1; }
  CoresRow& operator+=(const CoresRow& other);
};

struct CoresForecast {
  ManyCores machine;
  std::vector<CoresRow> kernels;  ///< by time on the cores, the longest first; "(none)" is what runs outside of kernels
  CoresRow step;                  ///< their sum

  double efficiency() const { return step.efficiency(machine.cores); }
};

/// Of the recorded steps, which have to be alike: each task takes the median of its times. A kernel's regions follow
/// each other, its tasks go to the core that is free first, and its compulsory bytes take as long as the memory needs
/// for them. Throws Error without a step, or where the steps have different regions.
CoresForecast on_many_cores(const std::vector<profile::Event>& events, const std::vector<profile::Region>& regions,
                            const ManyCores& machine);

/// How long the last of the cores works on the tasks, each given to the core that is free first, in the order given.
double makespan(const std::vector<double>& tasks, int cores);

/// What a region of empty tasks costs on `threads` threads here, which are at most the processors: seconds, the median.
double region_cost(int threads);

}  // namespace giza::train
