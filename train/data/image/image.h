// Pictures and label maps in memory, and their files.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tensor/base/file.h"

namespace giza::train {

/// The largest picture that is read or made by resizing, in pixels. Pillow's limit too (its MAX_IMAGE_PIXELS, doubled).
inline constexpr int64_t kMaxPixels = 178'956'970;
/// Throws Refusal if a picture with sides of at least 0 is empty, or larger than that. `path` is for the message.
void check_picture_size(const std::string& path, int64_t width, int64_t height);

/// 8-bit RGB, rows from the top, dense.
struct Image {
  int width = 0, height = 0;
  int orientation = 1;       ///< EXIF's, by which the file's pixels were turned already: 2 to 8; others changed nothing
  std::vector<uint8_t> rgb;  ///< height * width * 3
  Image() = default;
  Image(int w, int h) : width(w), height(h), rgb(static_cast<size_t>(w) * static_cast<size_t>(h) * 3) {}
  uint8_t* at(int x, int y) { return &rgb[(static_cast<size_t>(y) * static_cast<size_t>(width) + x) * 3]; }
  const uint8_t* at(int x, int y) const { return &rgb[(static_cast<size_t>(y) * static_cast<size_t>(width) + x) * 3]; }
};

inline constexpr size_t kMostLabels = 256;  ///< values of a label map, and colours of its palette

/// One class index per pixel, dense; raw values of the file.
struct LabelMap {
  int width = 0, height = 0;
  std::vector<uint8_t> index;
  LabelMap() = default;
  LabelMap(int w, int h, uint8_t value = 0)
      : width(w), height(h), index(static_cast<size_t>(w) * static_cast<size_t>(h), value) {}
  uint8_t& at(int x, int y) { return index[static_cast<size_t>(y) * static_cast<size_t>(width) + x]; }
  uint8_t at(int x, int y) const { return index[static_cast<size_t>(y) * static_cast<size_t>(width) + x]; }
};

using Color = std::array<uint8_t, 3>;

/// JPEG or PNG (by content, not by name) as RGB, with the values of OpenCV's imread: turned as EXIF says, grey
/// expanded, alpha dropped, 16 bits cut to 8, ink (CMYK) put on white; gamma and colour profiles change nothing. Throws
/// Refusal "FILE: ..." for a file that is missing, truncated, damaged, of another format (named) or kind, or above
/// kMaxPixels, before its pixels are decoded.
Image read_image(const std::string& path);
/// PNG, grey (1 to 16 bits) or palette, as raw indices: the palette is not applied. A PNG's EXIF orientation is, as it
/// is to its image. Throws Refusal for RGB files (saying that a label map holds indices), for 16-bit values above 255,
/// and for the faults of read_image.
LabelMap read_labels(const std::string& path);
/// The same in two steps: the whole file, refused from its beginning if it is neither JPEG nor PNG; and its pixels.
std::vector<uint8_t> read_picture_file(const std::string& path);
Image decode_image(const std::string& path, std::span<const uint8_t> bytes);
LabelMap decode_labels(const std::string& path, std::span<const uint8_t> bytes);
/// Width and height as read_image gives them, without decoding. Throws as above.
std::array<int, 2> read_image_size(const std::string& path);

/// Write PNG files (through a temporary file in the same folder that is renamed). Throw Error when writing fails.
void write_image(const std::string& path, const Image& image);
void write_labels(const std::string& path, const LabelMap& labels);
/// Indices with the colours of the classes as a palette, as semseg writes its colour masks: looks like colorize's
/// picture, and is read back as indices. Classes beyond the list are black; colours beyond kMostLabels are left out.
void write_colored_labels(const std::string& path, const LabelMap& labels, const std::vector<Color>& colors,
                          OutputFile::Durability durability = OutputFile::Durability::unsynced);

/// The colour of each pixel's class; indices beyond the list are black.
Image colorize(const LabelMap& labels, const std::vector<Color>& colors);
/// weight * color + (1 - weight) * image.
Image overlay(const Image& image, const Image& color, double weight);

}  // namespace giza::train
