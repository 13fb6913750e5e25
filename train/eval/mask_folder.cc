// Predictions as files in semseg's layout: gray/NAME.png with indices, color/NAME.png with the classes' colours.
#include "train/eval/mask_folder.h"

#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "tensor/base/check.h"

namespace giza::train {

MaskFolder::MaskFolder(std::string folder, std::vector<Color> colors)
    : folder_(std::move(folder)), colors_(std::move(colors)) {
  for (const char* kind : {"/gray", "/color"}) {
    if (colors_.empty() && kind != std::string_view("/gray")) continue;
    std::error_code error;
    std::filesystem::create_directories(folder_ + kind, error);
    check<Refusal>(!error, "{}{}: the folder cannot be made: {}", folder_, kind, error.message());
  }
}

void MaskFolder::write(const ListEntry& entry, const LabelMap& labels) const {
  const std::string name = output_name(entry) + ".png";
  write_labels(folder_ + "/gray/" + name, labels);
  if (!colors_.empty()) write_colored_labels(folder_ + "/color/" + name, labels, colors_);
}

}  // namespace giza::train
