// The likeliest classes of whole pictures.
#pragma once

#include <string>
#include <vector>

#include "train/eval/evaluator.h"

namespace giza::train {

/// The file of a folder of results that has a line for each picture.
inline constexpr const char* kGuessesFile = "predictions.jsonl";

/// A class of a picture.
struct PictureGuess {
  int label = 0;
  std::string name;  ///< "class K" where it has none
  double probability = 0;
};

/// The likeliest classes of a picture by a network of whole pictures, the likeliest first, `most` of them or all; of
/// equal ones the lower number. Throws Error where the network's output is not finite.
std::vector<PictureGuess> classify_picture(const Network& network, const Image& image, const ProtocolOptions& options,
                                           const std::vector<std::string>& names, size_t most = 5);

/// One line of JSON: {"image", "class": K, "name", "probability", "likeliest": [{"name", "probability"}, ...]}.
std::string guess_json(const std::string& image, const std::vector<PictureGuess>& guesses);

}  // namespace giza::train
