// Pictures inside of an HTML file.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "train/data/image/image.h"

namespace giza::train {

std::string base64(std::span<const uint8_t> bytes);
/// A baseline JPEG file; quality 1 to 100.
std::vector<uint8_t> encode_jpeg(const Image& image, int quality);

/// A picture as the address of an img element, "data:image/...;base64,...", of at most about 4 / 3 of `limit` bytes,
/// shrunk until it fits: a photograph as JPEG, labels as PNG in the colours that `paint` gives a value at a place.
std::string photo_address(const Image& image, size_t limit);
std::string drawing_address(const LabelMap& labels, size_t limit,
                            const std::function<Color(uint8_t value, int x, int y)>& paint);

}  // namespace giza::train
