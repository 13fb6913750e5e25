// What weights say of themselves, so that they can be used anywhere: names and colours of the classes, and how to test.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/weights/infer.h"
#include "train/config/config.h"
#include "train/config/protocol.h"
#include "train/data/image/image.h"

namespace giza::train {

/// Travels in the metadata of a file of weights. Empty parts are not known.
struct ModelCard {
  std::vector<std::string> names;  ///< one per class
  std::vector<Color> colors;       ///< one per class
  std::optional<ProtocolOptions> protocol;
};

/// The __metadata__ keys of a card, each with JSON: ["road", ...], [[128,64,128], ...], {"base_size": 512, ...}.
inline constexpr const char* kCardKeys[] = {"giza.names", "giza.colors", "giza.protocol", models::kNormalizationKey};

/// The card of a configuration: its class names and colours, if it has any, and its test protocol. Throws Refusal for
/// files of names or colours that cannot be read or do not fit.
ModelCard card_of(const Config& config);
std::map<std::string, std::string> to_metadata(const ModelCard& card);
/// The card of a file of weights of a network of `classes`; other keys are not looked at. Throws Refusal "PLACE: ..."
/// for anything that to_metadata does not write: a file may be hostile.
ModelCard card_from_metadata(const std::map<std::string, std::string>& metadata, int64_t classes,
                             const std::string& place);

/// What weights say of their pictures, in a card's protocol or apart; nullopt where they do not. Throws Refusal as
/// above.
std::optional<Normalization> normalization_from_metadata(const std::map<std::string, std::string>& metadata,
                                                         const std::string& place);
}  // namespace giza::train
