// Predictions as files in semseg's layout: gray/NAME.png with indices, color/NAME.png with the classes' colours.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "train/data/image/image.h"
#include "train/data/list.h"

namespace giza::train {

class MaskFolder {
 public:
  /// Makes the folders, so that a bad path is refused before any work. Without colours there is only gray/.
  MaskFolder(std::string folder, std::vector<Color> colors);

  /// Both files of a picture, named by output_name. The coloured one has the indices too, with the colours as its
  /// palette, as semseg writes it.
  void write(const ListEntry& entry, const LabelMap& labels) const;

 private:
  std::string folder_;
  std::vector<Color> colors_;
};

/// Throws Refusal where a mask of entries [begin, end) would be written over a KeptFile (tensor/base/file.h).
void check_masks_new(const std::string& folder, std::span<const ListEntry> entries, size_t begin = 0,
                     size_t end = SIZE_MAX);

}  // namespace giza::train
