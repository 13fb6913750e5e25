// A network from its file of weights, with all that is known of how it is tested and how its classes are shown.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/scene_parser.h"
#include "train/config/config.h"
#include "train/config/protocol.h"
#include "train/data/image/image.h"

namespace giza::train {

struct LoadedNetwork {
  std::unique_ptr<models::SceneParser> model;
  /// How pictures are tested. Where nothing says it: at their own size, normalised as the weights say, if they do.
  ProtocolOptions protocol;
  bool has_protocol = false;       ///< something says it
  std::vector<std::string> names;  ///< one per class; "class K" where nothing says it
  bool has_names = false;          ///< something says it
  std::vector<Color> colors;       ///< one per class
  std::optional<Config> config;    ///< what was read, if a configuration was
  std::vector<std::string> notes;  ///< of the file of weights, each fit to follow "FILE: "
};

/// Reads weights, and names, colours and protocol from the configuration `config`; if that is empty, from what the
/// weights say of themselves, else from the config.yaml beside them. Throws Refusal for files that cannot be read or do
/// not fit each other.
LoadedNetwork load_network(const std::string& weights, const std::string& config, const ConvEngine& engine);

}  // namespace giza::train
