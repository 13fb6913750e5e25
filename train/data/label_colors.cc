// Label files that hold colours in place of indices: which colour is which value.
#include "train/data/label_colors.h"

#include <algorithm>
#include <span>
#include <vector>

#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "train/data/image/png.h"
#include "train/data/known_datasets.h"
#include "train/data/list.h"

namespace giza::train {

LabelColors::LabelColors(const std::string& name, int ignore) : name_(name), grey_(name == "grey") {
  if (grey_) return;
  const KnownDataset* known = find_known_dataset(name);
  std::vector<Color> colors;
  std::vector<Color> voids = {Color{0, 0, 0}};
  if (known != nullptr) {
    colors.assign(known->colors.begin(), known->colors.end());
    voids.assign(known->void_colors.begin(), known->void_colors.end());
  } else {
    colors = read_colors(name);
  }
  check<Refusal>(colors.size() <= 256, "{}: has {} colours, at most 256 fit into a label map", name, colors.size());
  for (size_t i = 0; i < colors.size(); ++i) {
    const auto [place, added] = values_.emplace(key(colors[i]), static_cast<uint8_t>(i));
    check<Refusal>(added,
                   "DATA.label_colors: {}: values {} and {} have one colour, ({}, {}, {}), so colour masks cannot tell "
                   "them apart; use label files that hold indices",
                   name, int{place->second}, i, colors[i][0], colors[i][1], colors[i][2]);
  }
  for (const Color& color : voids) values_.emplace(key(color), static_cast<uint8_t>(ignore));
}

int LabelColors::value(const Color& color) const {
  if (grey_) return color[0] == color[1] && color[1] == color[2] ? color[0] : -1;
  const auto found = values_.find(key(color));
  return found == values_.end() ? -1 : found->second;
}

void check_color_depth(const std::string& path, const LabelColors& colors) {
  constexpr size_t kBits = 24, kType = 25, kHeader = 26;  // of the first chunk, IHDR
  const std::vector<uint8_t> start = read_file_prefix(path, kHeader);
  if (start.size() < kHeader || !is_png(start)) return;
  const bool spread = colors.name() == "grey" && start[kType] == 0 && start[kBits] < 8;
  check<Refusal>(
      start[kBits] <= 8 && !spread,
      "{}: has {} bits for each value, expected 8 with DATA.label_colors {}; leave the key out if the values "
      "are class indices, or save the masks with 8 bits",
      path, start[kBits], colors.name());
}

LabelMap labels_from_colors(const std::string& path, const Image& image, const LabelColors& colors) {
  LabelMap labels(image.width, image.height);
  Color last{};
  int value = colors.value(last);
  for (size_t i = 0; i < labels.index.size(); ++i) {
    const Color color = {image.rgb[3 * i], image.rgb[3 * i + 1], image.rgb[3 * i + 2]};
    // Masks are made of areas: most pixels are like the one before.
    if (color != last) value = colors.value(last = color);
    if (value < 0) {
      const auto width = static_cast<size_t>(image.width);
      throw Refusal(
          fmt::format("{}: colour ({}, {}, {}) at x {}, y {} is none of DATA.label_colors {}; `giza check` lists all "
                      "colours",
                      path, color[0], color[1], color[2], i % width, i / width, colors.name()));
    }
    labels.index[i] = static_cast<uint8_t>(value);
  }
  return labels;
}

}  // namespace giza::train
