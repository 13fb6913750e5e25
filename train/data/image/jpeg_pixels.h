// The pixels of a JPEG file by libjpeg.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "train/data/image/image.h"

namespace giza::train {

/// Decodes a whole file into `image`, which has its size, as stored: no orientation is applied. The values are those of
/// OpenCV's imread: libjpeg-turbo with its defaults (accurate integer DCT, smooth upsampling of colours), and CMYK as
/// ink on white. `path` is for messages. Throws Refusal for what libjpeg cannot decode or finds damaged.
void decode_jpeg_pixels(const std::string& path, std::span<const uint8_t> bytes, Image& image);

}  // namespace giza::train
