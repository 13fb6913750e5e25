// JPEG pictures: the container is examined here, the pixels are decoded by stb_image.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "train/data/image/image.h"

namespace giza::train {

bool is_jpeg(std::span<const uint8_t> bytes);
/// Width and height if `bytes`, the beginning of a file, reach as far as the frame header, else {0, 0}.
std::array<int, 2> jpeg_size(const std::string& path, std::span<const uint8_t> bytes);
/// Decodes a whole file as RGB. `path` is for messages. Throws Refusal.
Image decode_jpeg(const std::string& path, std::span<const uint8_t> bytes);

}  // namespace giza::train
