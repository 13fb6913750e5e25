// The convolutions that a step runs, with their algorithms and their work, as the step itself says.
#pragma once

#include <string>
#include <vector>

#include "tensor/profile/profile.h"

namespace giza::train {

struct ConvolutionUse {
  std::string layer;  ///< "layer3.2.conv2"
  std::string shape;  ///< as a word: tensor/ops/conv_work.h
  struct PassUse {
    std::string algorithm;           ///< empty where the pass does not run
    double flops = 0, executed = 0;  ///< of the direct algorithm, and of this one
  };
  PassUse forward, backward_input, backward_weight;
};

/// Those among the events of a recording, in the order of their first run. A layer's runs on one shape are one row.
std::vector<ConvolutionUse> convolutions_of(const std::vector<profile::Event>& events);

}  // namespace giza::train
