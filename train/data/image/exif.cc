// The orientation that a camera noted in a picture's EXIF data, and turning pictures by it.
#include "train/data/image/exif.h"

#include <algorithm>
#include <cstddef>

namespace giza::train {
namespace {

constexpr uint64_t kOrientation = 0x112;

/// Numbers of a TIFF structure (TIFF 6.0, section 2). What lies outside is none.
class Tiff {
 public:
  explicit Tiff(std::span<const uint8_t> bytes)
      : bytes_(bytes), little_(bytes.size() > 1 && bytes[0] == 'I' && bytes[1] == 'I') {}

  std::optional<uint64_t> number(uint64_t at, size_t bytes) const {
    if (at + bytes > bytes_.size()) return {};
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; ++i) value = value << 8 | bytes_[at + (little_ ? bytes - 1 - i : i)];
    return value;
  }

  bool holds(uint64_t at, uint64_t bytes) const { return at + bytes <= bytes_.size(); }

 private:
  std::span<const uint8_t> bytes_;
  bool little_ = false;
};

/// How many RATIONAL numbers (8 bytes each) OpenCV reads of a tag, which an offset points to; 0 for other tags.
uint64_t rationals_of(uint64_t tag) {
  switch (tag) {
    case 0x11A:  // XResolution
    case 0x11B:  // YResolution
      return 1;
    case 0x13E:  // WhitePoint
      return 2;
    case 0x211:  // YCbCrCoefficients
      return 3;
    case 0x13F:  // PrimaryChromaticities
    case 0x214:  // ReferenceBlackWhite
      return 6;
    default:
      return 0;
  }
}

bool is_text(uint64_t tag) {
  static constexpr uint64_t kTexts[] = {0x10E, 0x10F, 0x110, 0x131, 0x132, 0x8298};  // ImageDescription to Copyright
  return std::find(std::begin(kTexts), std::end(kTexts), tag) != std::end(kTexts);
}

/// False where OpenCV gives up on the directory because of this entry, whose tag is at `at`.
bool is_sound(const Tiff& tiff, uint64_t tag, uint64_t at) {
  if (const uint64_t count = rationals_of(tag); count > 0) {
    const auto offset = tiff.number(at + 8, 4);
    return offset && tiff.holds(*offset, 8 * count);
  }
  if (tag == 0x128 || tag == 0x213) return tiff.holds(at + 8, 2);  // ResolutionUnit, YCbCrPositioning
  if (!is_text(tag)) return true;
  const auto length = tiff.number(at + 4, 4);
  const auto offset = length && *length > 4 ? tiff.number(at + 8, 4) : 8;  // Short ones are looked for at byte 8.
  return length && offset && tiff.holds(*offset, *length);
}

}  // namespace

std::optional<int> exif_orientation(std::span<const uint8_t> bytes) {
  constexpr uint64_t kEntrySize = 12;  // tag, type, count, value or offset
  const Tiff tiff(bytes);
  if (tiff.number(2, 2) != 42U) return {};
  const auto directory = tiff.number(4, 4);
  const auto count = directory ? tiff.number(*directory, 2) : std::nullopt;
  if (!count) return {};
  for (uint64_t entry = 0; entry < *count; ++entry) {
    const uint64_t at = *directory + 2 + entry * kEntrySize;
    const auto tag = tiff.number(at, 2);
    if (!tag) return {};
    if (*tag == kOrientation) {
      const auto value = tiff.number(at + 8, 2);
      return value ? std::optional<int>(static_cast<int>(*value)) : std::nullopt;
    }
    if (!is_sound(tiff, *tag, at)) return {};
  }
  return {};
}

std::vector<uint8_t> upright_pixels(const std::vector<uint8_t>& pixels, int width, int height, int channels,
                                    int orientation) {
  // The file's pixel (x, y) is seen at `origin` + x `across` + y `down`, counted in pixels.
  const bool turned = swaps_sides(orientation);
  const bool mirrored_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool mirrored_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const ptrdiff_t w = width, h = height;
  const ptrdiff_t across = (turned ? h : 1) * (mirrored_x ? -1 : 1);
  const ptrdiff_t down = (turned ? 1 : w) * (mirrored_y ? -1 : 1);
  const ptrdiff_t origin = (mirrored_x ? (w - 1) * -across : 0) + (mirrored_y ? (h - 1) * -down : 0);

  std::vector<uint8_t> upright(pixels.size());
  constexpr ptrdiff_t kTile = 32;  // so that a turned picture's columns stay in the cache
  for (ptrdiff_t top = 0; top < h; top += kTile) {
    for (ptrdiff_t left = 0; left < w; left += kTile) {
      for (ptrdiff_t y = top; y < std::min(h, top + kTile); ++y) {
        for (ptrdiff_t x = left; x < std::min(w, left + kTile); ++x) {
          const uint8_t* from = pixels.data() + (y * w + x) * channels;
          uint8_t* to = upright.data() + (origin + x * across + y * down) * channels;
          for (int c = 0; c < channels; ++c) to[c] = from[c];
        }
      }
    }
  }
  return upright;
}

}  // namespace giza::train
