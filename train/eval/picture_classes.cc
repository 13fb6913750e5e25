// The likeliest classes of whole pictures.
#include "train/eval/picture_classes.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace giza::train {

std::vector<PictureGuess> classify_picture(const Network& network, const Image& image, const ProtocolOptions& options,
                                           const std::vector<std::string>& names, size_t most) {
  const Tensor probabilities = predict_probabilities(network, image, options);
  std::vector<PictureGuess> guesses;
  for (int64_t c = 0; c < probabilities.channels(); ++c) {
    const auto index = static_cast<size_t>(c);
    guesses.push_back({static_cast<int>(c), index < names.size() ? names[index] : fmt::format("class {}", c),
                       static_cast<double>(probabilities.data()[c])});
  }
  std::stable_sort(guesses.begin(), guesses.end(),
                   [](const PictureGuess& a, const PictureGuess& b) { return a.probability > b.probability; });
  guesses.resize(std::min(guesses.size(), most));
  return guesses;
}

std::string guess_json(const std::string& image, const std::vector<PictureGuess>& guesses) {
  using Json = nlohmann::ordered_json;
  Json json{{"image", image},
            {"class", guesses.front().label},
            {"name", guesses.front().name},
            {"probability", guesses.front().probability},
            {"likeliest", Json::array()}};
  for (const PictureGuess& guess : guesses) {
    json["likeliest"].push_back({{"name", guess.name}, {"probability", guess.probability}});
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace giza::train
