// The poly learning rate (Zhao et al., 2017, section 5.1).
#pragma once

#include <cstdint>

#include "tensor/elementary.h"

namespace giza::train {

/// `rate`, times (t + 1) / warmup for the zero-based iteration t during the first `warmup` ones.
inline double warmed_up(double rate, int64_t iteration, int64_t warmup) {
  return iteration < warmup ? rate * static_cast<double>(iteration + 1) / static_cast<double>(warmup) : rate;
}

/// base (1 - t / total)^power for the zero-based iteration t, warmed up.
inline double poly_lr(double base, int64_t iteration, int64_t total, double power, int64_t warmup = 0) {
  const double left = 1.0 - static_cast<double>(iteration) / static_cast<double>(total);
  return warmed_up(base * portable_pow(left > 0 ? left : 0.0, power), iteration, warmup);
}

}  // namespace giza::train
