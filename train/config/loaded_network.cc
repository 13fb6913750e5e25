// A network from its file of weights, with all that is known of how it is tested and how its classes are shown.
#include "train/config/loaded_network.h"

#include <filesystem>
#include <utility>

#include "models/weights/infer.h"
#include "tensor/base/check.h"
#include "train/config/card.h"
#include "train/config/parts.h"
#include "train/data/known_datasets.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;

/// The configuration given, or the one that training left beside the weights, or nothing.
std::string find_config(const std::string& weights, const std::string& config) {
  if (!config.empty()) return config;
  const fs::path beside = fs::path(weights).parent_path() / "config.yaml";
  std::error_code error;
  return fs::is_regular_file(beside, error) ? beside.string() : "";
}

}  // namespace

LoadedNetwork load_network(const std::string& weights, const std::string& config, const ConvEngine& engine) {
  LoadedNetwork loaded;
  models::FileNotes told;
  loaded.model = models::load_parser(weights, engine, &told);
  loaded.notes = std::move(told.notes);
  const auto classes = static_cast<size_t>(loaded.model->classes());
  check<Refusal>(classes <= kMostLabels || loaded.model->classifies_pictures(),
                 "{}: a network of {} classes, but a label map holds {} at most", weights, classes, kMostLabels);
  ModelCard card = card_from_metadata(told.metadata, loaded.model->classes(), weights);
  loaded.names = std::move(card.names);
  loaded.colors = std::move(card.colors);
  const auto normalization = normalization_from_metadata(told.metadata, weights);
  // What weights say of themselves needs no configuration; one that is given counts more.
  const std::string path = card.protocol && config.empty() ? "" : find_config(weights, config);
  if (!path.empty()) {
    const Config& found = loaded.config.emplace(load_config(path));
    check<Refusal>(
        static_cast<size_t>(found.data.classes) == classes,
        "{}: DATA.classes is {}, but {} has {} classes; give the configuration it was trained by as --config",
        config_place(found, "DATA.classes"), found.data.classes, weights, classes);
    loaded.protocol = test_protocol(found, normalization);
    loaded.has_protocol = true;
    // The data set may be gone from where a configuration beside the weights says; only one that was given must hold.
    std::error_code none;
    const auto usable = [&](const std::string& file) {
      return !config.empty() || built_in_classes(found, file) != nullptr || fs::exists(file, none);
    };
    const auto replace = [](auto& ours, auto theirs) {
      if (!theirs.empty()) ours = std::move(theirs);
    };
    if (usable(found.names_path())) replace(loaded.names, class_names(found));
    if (usable(found.colors_path())) replace(loaded.colors, class_colors(found));
  } else if (card.protocol) {
    loaded.protocol = *card.protocol;
    loaded.has_protocol = true;
  } else {
    loaded.protocol.base_size = 0;
    if (normalization) {
      loaded.protocol.mean = normalization->mean;
      loaded.protocol.std = normalization->std;
    }
  }
  loaded.has_names = !loaded.names.empty();
  for (size_t c = loaded.names.size(); c < classes; ++c) loaded.names.push_back(fmt::format("class {}", c));
  loaded.colors = completed_colors(std::move(loaded.colors), classes);
  return loaded;
}

}  // namespace giza::train
