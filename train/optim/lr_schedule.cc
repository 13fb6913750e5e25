// Learning rates over a training.
#include "train/optim/lr_schedule.h"

#include "train/optim/poly_lr.h"

namespace giza::train {

double LrSchedule::rate(int64_t iteration) const {
  if (policy == LrPolicy::poly) return poly_lr(base, iteration, iterations, power, warmup);
  double rate = base;
  if (policy == LrPolicy::step) {
    for (const int step : steps) rate *= iteration >= step ? gamma : 1;
  }
  return warmed_up(rate, iteration, warmup);
}

}  // namespace giza::train
