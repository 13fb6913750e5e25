// Predictions as files in semseg's layout: gray/NAME.png with indices, color/NAME.png with the classes' colours.
#include "train/eval/mask_folder.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "tensor/base/check.h"
#include "tensor/base/file.h"

namespace giza::train {

MaskFolder::MaskFolder(std::string folder, std::vector<Color> colors)
    : folder_(std::move(folder)), colors_(std::move(colors)) {
  for (const char* kind : {"/gray", "/color"}) {
    if (colors_.empty() && kind != std::string_view("/gray")) continue;
    make_folder(folder_ + kind);
  }
}

void check_masks_new(const std::string& folder, std::span<const ListEntry> entries, size_t begin, size_t end) {
  for (size_t i = begin; i < std::min(end, entries.size()); ++i) {
    for (const char* kind : {"/gray/", "/color/"}) check_not_kept(folder + kind + output_name(entries[i]) + ".png");
  }
}

void MaskFolder::write(const ListEntry& entry, const LabelMap& labels) const {
  const std::string name = output_name(entry) + ".png";
  write_labels(folder_ + "/gray/" + name, labels);
  if (!colors_.empty()) write_colored_labels(folder_ + "/color/" + name, labels, colors_);
}

}  // namespace giza::train
