// PNG pictures by libpng, from and to memory.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "train/data/image.h"

namespace giza::train {

bool is_png(std::span<const uint8_t> bytes);
/// Width and height if `bytes`, the beginning of a file, hold the header, else {0, 0}.
std::array<int, 2> png_size(const std::string& path, std::span<const uint8_t> bytes);
/// Decodes a whole file as 8-bit RGB, or as raw indices. `path` is for messages. Throw Refusal.
Image decode_png(const std::string& path, std::span<const uint8_t> bytes);
LabelMap decode_png_labels(const std::string& path, std::span<const uint8_t> bytes);

/// A PNG file of dense 8-bit rows with 1 (grey) or 3 (RGB) channels. `path` is for messages. Throws Error.
std::vector<uint8_t> encode_png(const std::string& path, const uint8_t* pixels, int width, int height, int channels);

}  // namespace giza::train
