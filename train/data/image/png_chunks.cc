// What the chunks around the pixels of a PNG file say.
#include "train/data/image/png_chunks.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "train/data/image/exif.h"

namespace giza::train {
namespace {

constexpr uint64_t kSignatureBytes = 8;
constexpr size_t kLargestExif = size_t{1} << 23;

uint32_t big_endian(const uint8_t* p) {
  return uint32_t{p[0]} << 24 | uint32_t{p[1]} << 16 | uint32_t{p[2]} << 8 | p[3];
}

/// The content of an eXIf chunk of which `header` is length and name; empty if it is damaged, as libpng judges.
std::vector<uint8_t> exif_content(const ReadAt& read_at, uint64_t at, std::span<const uint8_t, 8> header) {
  const uint32_t length = big_endian(header.data());
  if (length < 4 || length > kLargestExif) return {};
  std::vector<uint8_t> content(length + 4);  // and the checksum
  if (!read_at(at + 8, content)) return {};
  const auto crc = crc32(crc32(0, header.data() + 4, 4), content.data(), length);
  const bool ordered = content[0] == content[1] && (content[0] == 'I' || content[0] == 'M');
  if (crc != big_endian(&content[length]) || !ordered) return {};
  content.resize(length);
  return content;
}

}  // namespace

PngChunks read_png_chunks(const ReadAt& read_at) {
  PngChunks chunks;
  bool pixels_begun = false, has_exif = false;
  std::array<uint8_t, 8> header{};
  for (uint64_t at = kSignatureBytes; read_at(at, header); at += uint64_t{12} + big_endian(header.data())) {
    const std::string_view name(reinterpret_cast<const char*>(header.data()) + 4, 4);
    if (name == "IEND") break;
    if (name == "IDAT") {
      pixels_begun = true;
    } else if (name == "eXIf" && !has_exif) {  // libpng ignores a second one
      const std::vector<uint8_t> exif = exif_content(read_at, at, header);
      has_exif = !exif.empty();
      if (has_exif) chunks.orientation = exif_orientation(exif);
    } else if (name == "acTL" && !pixels_begun) {
      std::array<uint8_t, 4> frames{};
      chunks.animated = read_at(at + 8, frames) && big_endian(frames.data()) > 1;
    } else if (name == "fcTL" && !pixels_begun) {
      // The last byte says whether the frame is laid over what was there before.
      std::array<uint8_t, 26> control{};
      chunks.begins_with_picture = read_at(at + 8, control) && control[25] == 0;
    }
  }
  return chunks;
}

PngChunks read_png_chunks(std::span<const uint8_t> bytes) {
  return read_png_chunks([&](uint64_t offset, std::span<uint8_t> to) {
    if (offset > bytes.size() || bytes.size() - offset < to.size()) return false;
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), to.size(), to.begin());
    return true;
  });
}

}  // namespace giza::train
