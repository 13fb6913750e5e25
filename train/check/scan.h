// What one picture of a data set and its label file hold.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "train/data/dataset.h"
#include "train/data/image/png.h"

namespace giza::train {

/// A file that could not be used, and why.
struct FileFault {
  enum class Kind { none, missing, unreadable, size, value, color };
  Kind kind = Kind::none;
  std::string message;  ///< with the file's name
};

struct PlacedColor {
  int64_t pixels = 0;
  int x = 0, y = 0;  ///< the first
};

/// Sums over 8-bit values are whole numbers, so that they are the same in whatever order files are read.
struct ImageScan {
  int width = 0, height = 0;  ///< 0: not readable
  int orientation = 1;        ///< Image::orientation
  bool grey = false;
  std::array<uint64_t, 3> sum{}, squares{};
  uint64_t hash = 0;  ///< of the file's bytes
};

struct LabelScan {
  bool read = false;          ///< `pixels` is filled
  int width = 0, height = 0;  ///< 0: not readable
  PngKind kind;
  std::array<int64_t, 256> pixels{};    ///< per raw value
  std::array<int64_t, 256> first{};     ///< place in the picture, in reading order
  std::map<Color, PlacedColor> colors;  ///< of a file that is no index map, or those that DATA.label_colors lacks
  bool too_many_colors = false;         ///< more than kMaxColors: `colors` is not filled
};

struct FileScan {
  ImageScan image;
  LabelScan label;
  std::vector<FileFault> faults;
};

/// Masks have a few hundred colours at most; a photograph has thousands.
inline constexpr size_t kMaxColors = 512;

/// Reads both files of an entry, or only the image of one without a label. Never throws for what is in the files.
FileScan scan_entry(const ListEntry& entry, const LabelColors* colors);

/// About how much memory scan_entry takes at once.
int64_t scan_bytes(const ListEntry& entry);

}  // namespace giza::train
