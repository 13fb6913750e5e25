// The data sets that are known by name: finding them.
#include "train/data/known_datasets.h"

namespace giza::train {

const KnownDataset* find_known_dataset(std::string_view name) {
  for (const KnownDataset& dataset : known_datasets()) {
    if (dataset.name == name) return &dataset;
  }
  return nullptr;
}

const KnownDataset* known_by_file_name(std::string_view path) {
  const std::string_view file = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  for (const KnownDataset& dataset : known_datasets()) {
    if (!file.starts_with(dataset.name)) continue;
    const std::string_view rest = file.substr(dataset.name.size());
    if (rest == "_names.txt" || rest == "_colors.txt") return &dataset;
  }
  return nullptr;
}

Color voc_color(size_t index) {
  Color color{};
  for (size_t bit = 0; bit < 8; ++bit) {
    for (size_t channel = 0; channel < color.size(); ++channel) {
      color[channel] = static_cast<uint8_t>(color[channel] | (((index >> (3 * bit + channel)) & 1) << (7 - bit)));
    }
  }
  return color;
}

std::vector<Color> completed_colors(std::vector<Color> colors, size_t classes) {
  for (size_t c = colors.size(); c < classes; ++c) colors.push_back(voc_color(c));
  return colors;
}

}  // namespace giza::train
