// The weights that a training starts from: TRAIN.weight.
#pragma once

#include <string>
#include <vector>

#include "models/scene_parser.h"
#include "train/config/config.h"

namespace giza::train {

/// What there is to tell of them.
struct InitialWeights {
  std::vector<std::string> notes;     ///< what was left out, and options that their networks usually go with
  std::vector<std::string> warnings;  ///< layers that begin at random
};

/// Loads the file TRAIN.weight, if one is given, into the network, which was built by `options`: a whole network's, or
/// those of a backbone alone. Throws Refusal for a file that is no weights of this network's, and for one that learned
/// from pictures of another scale.
InitialWeights load_initial_weights(const Config& config, const models::NetworkOptions& options,
                                    const models::SceneParser& model);

}  // namespace giza::train
