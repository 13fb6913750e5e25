// Parameters and multiply-adds of a configuration's network, by a dry run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/config/config.h"

namespace giza::train {

/// A part of the network: stem, layer1 to layer4, ppm, cls, aux.
struct PartCost {
  std::string name;
  int64_t parameters = 0;
  double train_macs = 0, test_macs = 0;  ///< multiply-adds of a forward pass over one training crop, over one test tile
};

/// Nothing is computed, so it takes a moment for networks of any size. Throws Refusal for a configuration that no
/// network fits.
std::vector<PartCost> network_cost(const Config& config, int threads);

}  // namespace giza::train
