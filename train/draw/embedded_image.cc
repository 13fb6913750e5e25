// Pictures inside of an HTML file.
#include "train/draw/embedded_image.h"

#include <algorithm>

#include "tensor/base/check.h"
#include "train/data/image/png.h"
#include "train/draw/shrink.h"

#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>

namespace giza::train {
namespace {

constexpr int kSmallest = 16;  // side of a picture that is taken whatever its size in bytes

/// Encodes a picture, smaller each time until it is small enough. encode(side): with a longer side of at most `side`.
template <class Encode>
std::string address(const char* type, int side, size_t limit, Encode&& encode) {
  std::vector<uint8_t> bytes = encode(side);
  while (bytes.size() > limit && side > kSmallest) {
    side = std::max(kSmallest, side * 3 / 4);
    bytes = encode(side);
  }
  return std::string("data:image/") + type + ";base64," + base64(bytes);
}

}  // namespace

std::string base64(std::span<const uint8_t> bytes) {
  static constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t rest = std::min<size_t>(bytes.size() - i, 3);
    uint32_t word = uint32_t{bytes[i]} << 16;
    if (rest > 1) word |= uint32_t{bytes[i + 1]} << 8;
    if (rest > 2) word |= bytes[i + 2];
    for (size_t k = 0; k < 4; ++k) text += k <= rest ? kLetters[word >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

std::vector<uint8_t> encode_jpeg(const Image& image, int quality) {
  check(image.width > 0 && image.height > 0 && image.width <= 65535 && image.height <= 65535 && quality >= 1 &&
            quality <= 100,
        "jpeg: {} x {} at quality {}", image.width, image.height, quality);
  std::vector<uint8_t> bytes;
  const auto append = [](void* context, void* data, int size) {
    const auto* from = static_cast<const uint8_t*>(data);
    auto* to = static_cast<std::vector<uint8_t>*>(context);
    to->insert(to->end(), from, from + size);
  };
  check<Error>(stbi_write_jpg_to_func(append, &bytes, image.width, image.height, 3, image.rgb.data(), quality) != 0,
               "jpeg: a picture of {} x {} could not be encoded", image.width, image.height);
  return bytes;
}

std::string photo_address(const Image& image, size_t limit) {
  return address("jpeg", std::max(image.width, image.height), limit,
                 [&](int side) { return encode_jpeg(shrink_image(image, side), 82); });
}

std::string drawing_address(const LabelMap& labels, size_t limit,
                            const std::function<Color(uint8_t value, int x, int y)>& paint) {
  return address("png", std::max(labels.width, labels.height), limit, [&](int side) {
    const LabelMap smaller = shrink_labels(labels, side);
    Image image(smaller.width, smaller.height);
    for (int y = 0; y < image.height; ++y) {
      for (int x = 0; x < image.width; ++x) {
        const Color color = paint(smaller.at(x, y), x, y);
        std::copy(color.begin(), color.end(), image.at(x, y));
      }
    }
    return encode_png("a picture of the report", image.rgb.data(), image.width, image.height, 3);
  });
}

}  // namespace giza::train
