// PNG pictures by libpng, from and to memory.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "train/data/image/image.h"

namespace giza::train {

bool is_png(std::span<const uint8_t> bytes);
/// Width and height, turned as decode_png turns them. `start` is the beginning of the file `path`, from which the rest
/// that is needed is read. Throws Refusal.
std::array<int, 2> png_size(const std::string& path, std::span<const uint8_t> start);
/// How a PNG file holds its pixels.
struct PngKind {
  enum class Type { grey, palette, rgb };
  Type type = Type::grey;
  bool alpha = false;
  int bits = 8;                ///< of a sample
  int orientation = 1;         ///< as Image::orientation
  std::vector<Color> palette;  ///< of Type::palette
};
/// From the header and the EXIF data. Throws Refusal.
PngKind png_kind(const std::string& path, std::span<const uint8_t> bytes);

/// Decodes a whole file as 8-bit RGB, or as raw indices; turned as its EXIF data say. `path` is for messages. Throw
/// Refusal.
Image decode_png(const std::string& path, std::span<const uint8_t> bytes);
LabelMap decode_png_labels(const std::string& path, std::span<const uint8_t> bytes);

/// A PNG file of dense 8-bit rows with 1 (grey) or 3 (RGB) channels. With a palette of at most 256 colours, 1 channel
/// of indices into it. `path` is for messages. Throws Error.
std::vector<uint8_t> encode_png(const std::string& path, const uint8_t* pixels, int width, int height, int channels,
                                std::span<const Color> palette = {});

}  // namespace giza::train
