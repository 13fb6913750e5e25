// Learning rates over a training.
#pragma once

#include <cstdint>
#include <vector>

namespace giza::train {

/// Which curve the rate follows.
enum class LrPolicy {
  poly,   ///< poly_lr.h
  step,   ///< multiplied by a factor at some iterations (PyTorch's MultiStepLR, Caffe's multistep)
  fixed,  ///< the same throughout
};

struct LrSchedule {
  LrPolicy policy = LrPolicy::poly;
  double base = 0.01;
  double power = 0.9;           ///< of poly
  std::vector<int> steps = {};  ///< of step: zero-based iterations from which on the rate is multiplied once more
  double gamma = 0.1;           ///< of step: by this
  int64_t warmup = 0;           ///< iterations over which it rises linearly to the curve
  int64_t iterations = 1;       ///< of the whole training

  /// Of the zero-based iteration.
  double rate(int64_t iteration) const;
};

}  // namespace giza::train
