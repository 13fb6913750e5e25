// JPEG pictures: the file is examined here, the pixels are decoded by libjpeg.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "train/data/image/image.h"

namespace giza::train {

bool is_jpeg(std::span<const uint8_t> bytes);
/// Width and height, turned as decode_jpeg turns them, if `bytes`, the beginning of a file, reach as far as the first
/// scan, else {0, 0}. Throws Refusal.
std::array<int, 2> jpeg_size(const std::string& path, std::span<const uint8_t> bytes);
/// Decodes a whole file as RGB, turned as its EXIF data say. `path` is for messages. Throws Refusal.
Image decode_jpeg(const std::string& path, std::span<const uint8_t> bytes);

}  // namespace giza::train
