// JPEG pictures: the container is examined here, the pixels are decoded by stb_image.
#include "train/data/jpeg.h"

#include <cstring>
#include <memory>

#include "tensor/check.h"
#include "train/data/stb_image.h"

namespace giza::train {
namespace {

/// What the markers of a file say.
struct Outline {
  int64_t width = 0, height = 0;  ///< 0 until the frame header was seen
  int64_t scans = 0;
  bool complete = false;  ///< the end marker was seen
};

/// Reads a frame header (T.81, B.2.2): length, precision, height, width.
void read_frame(const std::string& path, uint8_t marker, std::span<const uint8_t> segment, Outline& outline) {
  // stb_image decodes baseline, extended and progressive Huffman files of 8 bits.
  check<Refusal>(marker <= 0xC2,
                 "{}: JPEG of a kind that is not read (lossless, hierarchical or arithmetic); save it as baseline or "
                 "progressive JPEG, or as PNG",
                 path);
  check<Refusal>(segment.size() >= 8, "{}: corrupt JPEG: the frame header is too short", path);
  check<Refusal>(segment[2] == 8, "{}: JPEG of {} bits per sample, expected 8; convert it", path, segment[2]);
  check<Refusal>(outline.width == 0, "{}: corrupt JPEG: two frame headers", path);
  outline.height = segment[3] * 256 + segment[4];
  outline.width = segment[5] * 256 + segment[6];
  check<Refusal>(outline.width > 0 && outline.height > 0, "{}: JPEG with an empty picture: {} x {} pixels", path,
                 outline.width, outline.height);
}

/// Walks along the markers, up to the frame header or to the end of the picture. stb_image itself decodes a truncated
/// file without a word, grey where the data are missing; so completeness is checked here.
Outline walk(const std::string& path, std::span<const uint8_t> bytes, bool to_the_end) {
  Outline outline;
  size_t at = 2;
  while (at + 1 < bytes.size()) {
    check<Refusal>(bytes[at] == 0xFF, "{}: corrupt JPEG: expected a marker at byte {}", path, at);
    const uint8_t marker = bytes[at + 1];
    if (marker == 0xFF) {  // Fill byte.
      ++at;
      continue;
    }
    at += 2;
    if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD7)) continue;  // These stand alone.
    if (marker == 0xD9) {
      outline.complete = true;
      return outline;
    }
    if (at + 2 > bytes.size()) return outline;
    const size_t length = static_cast<size_t>(bytes[at]) * 256 + bytes[at + 1];
    check<Refusal>(length >= 2, "{}: corrupt JPEG: a segment of length {} at byte {}", path, length, at);
    if (at + length > bytes.size()) return outline;
    const bool is_frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (is_frame) {
      read_frame(path, marker, bytes.subspan(at, length), outline);
      if (!to_the_end) return outline;
    }
    at += length;
    if (marker == 0xDA) {
      check<Refusal>(outline.width > 0, "{}: corrupt JPEG: a scan before the frame header", path);
      ++outline.scans;
      // Coded data: 0xFF is followed by 0 (a stuffed byte) or a restart marker; any other marker ends the scan.
      while (at + 1 < bytes.size()) {
        const void* found = std::memchr(bytes.data() + at, 0xFF, bytes.size() - 1 - at);
        if (found == nullptr) return outline;
        at = static_cast<size_t>(static_cast<const uint8_t*>(found) - bytes.data());
        const uint8_t next = bytes[at + 1];
        if (next != 0 && !(next >= 0xD0 && next <= 0xD7)) break;
        at += 2;
      }
    }
  }
  return outline;
}

}  // namespace

bool is_jpeg(std::span<const uint8_t> bytes) {
  return bytes.size() >= 3 && bytes[0] == 0xFF && bytes[1] == 0xD8 && bytes[2] == 0xFF;
}

std::array<int, 2> jpeg_size(const std::string& path, std::span<const uint8_t> bytes) {
  const Outline outline = walk(path, bytes, false);
  return {static_cast<int>(outline.width), static_cast<int>(outline.height)};
}

Image decode_jpeg(const std::string& path, std::span<const uint8_t> bytes) {
  const Outline outline = walk(path, bytes, true);
  check<Refusal>(outline.complete,
                 "{}: truncated JPEG: no end marker in its {} bytes; copy or download the file again", path,
                 bytes.size());
  check<Refusal>(outline.scans > 0, "{}: corrupt JPEG: it holds no picture", path);
  const int64_t pixels = outline.width * outline.height;
  check<Refusal>(pixels <= kMaxPixels, "{}: {} x {} pixels, at most {} are accepted; make the picture smaller", path,
                 outline.width, outline.height, kMaxPixels);
  // A block of 8x8 costs at least a bit, and subsampling by 4 in both directions is the most there is.
  check<Refusal>(pixels / 2048 <= static_cast<int64_t>(bytes.size()),
                 "{}: corrupt JPEG: {} bytes cannot hold the {} x {} pixels of its header", path, bytes.size(),
                 outline.width, outline.height);
  // Each scan of a progressive file passes over the whole picture: bound the work, whatever a hostile file says.
  check<Refusal>(outline.scans <= 500 && outline.scans * pixels <= kMaxPixels * 16,
                 "{}: JPEG with {} scans over {} x {} pixels, more than is sensible; save it again", path,
                 outline.scans, outline.width, outline.height);
  int width = 0;
  int height = 0;
  int channels = 0;
  const std::unique_ptr<uint8_t, decltype(&stbi_image_free)> pixel_data(
      stbi_load_from_memory(bytes.data(), static_cast<int>(bytes.size()), &width, &height, &channels, 3),
      stbi_image_free);
  if (pixel_data == nullptr) {
    throw Refusal(fmt::format("{}: corrupt JPEG: {}; copy or convert the file again", path, stbi_failure_reason()));
  }
  check<Refusal>(width == outline.width && height == outline.height, "{}: corrupt JPEG: two sizes", path);
  Image image(width, height);
  std::memcpy(image.rgb.data(), pixel_data.get(), image.rgb.size());
  return image;
}

}  // namespace giza::train
