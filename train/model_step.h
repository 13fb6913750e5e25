// One step of a whole network on random pictures: what `giza bench model` times and `giza profile` takes apart.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "tensor/ops/conv2d.h"
#include "train/config/config.h"

namespace giza::train {

struct ModelStepOptions {
  int depth = 50;
  int size = 473;  ///< side of the square pictures
  int batch = 1;
  int classes = 150;
  double width = 1;  ///< factor on all channel counts
  bool training = false;
  ConvEngine conv;
  bool recompute = false;  ///< run residual blocks again in the backward pass
  uint64_t seed = 0;
  std::string weights = {};  ///< a file whose network and weights replace depth, classes and width; empty: random ones
};

/// A function that runs one step: one forward pass as `giza run` does it; or, for training, forward, loss + 0.4 auxiliary
/// loss, backward and an SGD step. Throws Refusal for a depth or file that is no PSPNet.
std::function<void()> make_model_step(const ModelStepOptions& options);

/// The same of a configuration's network: a step of its training, with its batch, crop, loss and recomputation; or its
/// network on one picture of TEST's crop. Throws Refusal for a configuration that no network fits.
std::function<void()> make_model_step(const Config& config, bool training);

}  // namespace giza::train
