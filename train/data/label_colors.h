// Label files that hold colours in place of indices: which colour is which value.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "train/data/image/image.h"

namespace giza::train {

/// What the colours of a label file stand for, as DATA.label_colors says it.
class LabelColors {
 public:
  /// `name`: a known data set whose colours all differ (voc2012, cityscapes, camvid), "grey" (the value is red = green
  /// = blue), or a file with `r g b` per line, whose colour on line k is value k - 1. Colours for pixels without a
  /// label, black among them where no class is black, become `ignore`. Throws Refusal for a bad file and for two
  /// classes of one colour.
  LabelColors(const std::string& name, int ignore);

  /// The value of a colour, or -1 for one that is not known.
  int value(const Color& color) const;
  const std::string& name() const { return name_; }

 private:
  static uint32_t key(const Color& c) { return uint32_t{c[0]} << 16 | uint32_t{c[1]} << 8 | c[2]; }

  std::string name_;
  bool grey_ = false;
  std::unordered_map<uint32_t, uint8_t> values_;
};

/// Throws Refusal "FILE: ..." for a PNG whose bytes are not what it says: of 16 bits, whose lower half would be lost,
/// and with "grey" of fewer than 8, which are spread over 0 to 255.
void check_color_depth(const std::string& path, const LabelColors& colors);
/// The values of a picture in colours. Throws Refusal "FILE: ..." with place for a colour that is not known.
LabelMap labels_from_colors(const std::string& path, const Image& image, const LabelColors& colors);

}  // namespace giza::train
