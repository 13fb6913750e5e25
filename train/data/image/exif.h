// The orientation that a camera noted in a picture's EXIF data, and turning pictures by it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace giza::train {

/// The value of tag 0x0112 (Orientation) of EXIF data: a TIFF structure, as it follows "Exif\0\0" in a JPEG's APP1
/// segment and fills a PNG's eXIf chunk. 1 is upright; 2 to 8 are turned or mirrored (Exif 2.32, 4.6.4); others have no
/// meaning. None where the data hold none, or break before it. Judged as OpenCV's imread does: only the first
/// directory counts, and the first entry; the value is read as SHORT whatever type it claims; and an earlier
/// entry of those that OpenCV reads whose data lie outside hides it.
std::optional<int> exif_orientation(std::span<const uint8_t> bytes);

/// True for orientations whose pictures are as wide as the file's rows are many.
constexpr bool swaps_sides(int orientation) { return orientation >= 5 && orientation <= 8; }

/// Pixels of `channels` bytes, dense rows of `width`, as they are to be seen: turned by `orientation`, 2 to 8.
std::vector<uint8_t> upright_pixels(const std::vector<uint8_t>& pixels, int width, int height, int channels,
                                    int orientation);

/// Turns an Image or a LabelMap, whose bytes are `pixels`, with `channels` of them per pixel.
template <class Picture>
void make_upright(Picture& picture, std::vector<uint8_t>& pixels, int channels, int orientation) {
  if (orientation < 2 || orientation > 8) return;
  pixels = upright_pixels(pixels, picture.width, picture.height, channels, orientation);
  if (swaps_sides(orientation)) std::swap(picture.width, picture.height);
}

}  // namespace giza::train
