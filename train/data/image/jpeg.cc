// JPEG pictures: the container is examined here, the pixels are decoded by stb_image.
#include "train/data/image/jpeg.h"

#include <cstring>
#include <memory>
#include <vector>

#include "tensor/base/check.h"
#include "train/data/image/stb_image.h"

namespace giza::train {
namespace {

/// What the markers of a file say.
struct Outline {
  int64_t width = 0, height = 0;  ///< 0 until the frame header was seen
  int64_t scans = 0;
  bool complete = false;  ///< the end marker was seen
};

/// Examines the segments of a file. stb_image 2.27 trusts Huffman tables: it writes past its arrays where one has more
/// than 256 codes, and decodes with whatever memory held where a scan names a table that the file lacks. So no file
/// reaches it whose tables are not whole and there.
class Examiner {
 public:
  explicit Examiner(const std::string& path) : path_(path) {}

  Outline outline;

  /// `segment` is what follows the marker, its length field included.
  void segment(uint8_t marker, std::span<const uint8_t> segment) {
    const std::span<const uint8_t> content = segment.subspan(2);
    if (marker == 0xC4) {
      huffman_tables(content);
    } else if (marker == 0xDB) {
      quantization_tables(content);
    } else if (marker == 0xDA) {
      scan(content);
    } else if (marker >= 0xC0 && marker <= 0xCF && marker != 0xC8 && marker != 0xCC) {
      frame(marker, content);
    }
  }

 private:
  void require(bool condition, const char* fault) const {
    check<Refusal>(condition, "{}: corrupt JPEG: {}; copy or convert the file again", path_, fault);
  }

  /// Frame header (T.81, B.2.2): precision, height, width, components of 3 bytes each.
  void frame(uint8_t marker, std::span<const uint8_t> content) {
    // stb_image decodes baseline, extended and progressive Huffman files of 8 bits.
    check<Refusal>(marker <= 0xC2,
                   "{}: JPEG of a kind that is not read (lossless, hierarchical or arithmetic); save it as baseline or "
                   "progressive JPEG, or as PNG",
                   path_);
    require(content.size() >= 6 && content.size() == 6 + 3 * size_t{content[5]}, "a frame header of the wrong length");
    check<Refusal>(content[0] == 8, "{}: JPEG of {} bits per sample, expected 8; convert it", path_, content[0]);
    require(outline.width == 0, "two frame headers");
    outline.height = content[1] * 256 + content[2];
    outline.width = content[3] * 256 + content[4];
    check<Refusal>(outline.width > 0 && outline.height > 0, "{}: JPEG with an empty picture: {} x {} pixels", path_,
                   outline.width, outline.height);
    progressive_ = marker == 0xC2;
    for (size_t at = 6; at < content.size(); at += 3) used_quantization_.push_back(content[at + 2]);
  }

  /// Huffman tables (B.2.4.2): class and number, 16 counts of codes, the codes' values.
  void huffman_tables(std::span<const uint8_t> content) {
    while (!content.empty()) {
      require(content.size() >= 17, "a Huffman table is cut off");
      const unsigned type = content[0] >> 4;
      const unsigned number = content[0] & 15U;
      require(type <= 1 && number <= 3, "a Huffman table with a number out of range");
      size_t codes = 0;
      for (const uint8_t count : content.subspan(1, 16)) codes += count;
      require(codes <= 256 && content.size() >= 17 + codes, "a Huffman table with too many codes");
      huffman_[type][number] = true;
      content = content.subspan(17 + codes);
    }
  }

  /// Quantisation tables (B.2.4.1): precision and number, 64 values of one or two bytes.
  void quantization_tables(std::span<const uint8_t> content) {
    while (!content.empty()) {
      const unsigned precision = content[0] >> 4;
      const unsigned number = content[0] & 15U;
      const size_t size = precision == 0 ? 65 : 129;
      require(precision <= 1 && number <= 3 && content.size() >= size, "a quantisation table is cut off");
      quantization_[number] = true;
      content = content.subspan(size);
    }
  }

  /// Scan header (B.2.3): components with their tables, then first and last coefficient and bit positions.
  void scan(std::span<const uint8_t> content) {
    require(outline.width > 0, "a scan before the frame header");
    require(!content.empty() && content[0] >= 1 && content[0] <= 4 && content.size() == 4 + 2 * size_t{content[0]},
            "a scan header of the wrong length");
    const std::span<const uint8_t> components = content.subspan(1, 2 * size_t{content[0]});
    const uint8_t first = content[content.size() - 3];
    for (size_t at = 0; at < components.size(); at += 2) {
      const unsigned dc = components[at + 1] >> 4;
      const unsigned ac = components[at + 1] & 15U;
      // A progressive scan holds either the first coefficients or later ones.
      const bool needs_dc = !progressive_ || first == 0;
      const bool needs_ac = !progressive_ || first != 0;
      require(dc <= 3 && ac <= 3 && (!needs_dc || huffman_[0][dc]) && (!needs_ac || huffman_[1][ac]),
              "a scan uses a Huffman table that is missing");
    }
    for (const uint8_t number : used_quantization_) {
      require(number <= 3 && quantization_[number], "a scan uses a quantisation table that is missing");
    }
    ++outline.scans;
  }

  const std::string& path_;
  bool progressive_ = false;
  bool huffman_[2][4] = {};  // DC and AC.
  bool quantization_[4] = {};
  std::vector<uint8_t> used_quantization_;
};

/// Walks along the markers, up to the frame header or to the end of the picture. stb_image itself decodes a truncated
/// file without a word, grey where the data are missing; so completeness is checked here.
Outline walk(const std::string& path, std::span<const uint8_t> bytes, bool to_the_end) {
  Examiner examiner(path);
  Outline& outline = examiner.outline;
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
    examiner.segment(marker, bytes.subspan(at, length));
    if (outline.width > 0 && !to_the_end) return outline;
    at += length;
    if (marker == 0xDA) {
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
  check<Refusal>(outline.complete, "{}: truncated JPEG: no end marker in its {} bytes; copy or download the file again",
                 path, bytes.size());
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
    const char* reason = stbi_failure_reason();  // Not given in every case.
    throw Refusal(fmt::format("{}: corrupt JPEG: {}; copy or convert the file again", path,
                              reason != nullptr ? reason : "cannot be decoded"));
  }
  check<Refusal>(width == outline.width && height == outline.height, "{}: corrupt JPEG: two sizes", path);
  Image image(width, height);
  std::memcpy(image.rgb.data(), pixel_data.get(), image.rgb.size());
  return image;
}

}  // namespace giza::train
