// What the marker segments of a JPEG file say (ITU-T T.81, annex B).
#include "train/data/image/jpeg_markers.h"

#include <algorithm>

#include "tensor/base/check.h"
#include "train/data/image/exif.h"

namespace giza::train {
namespace {

constexpr int divide_up(int64_t value, int64_t by) { return static_cast<int>((value + by - 1) / by); }

/// What the frame of a marker 0xC0 to 0xCF, or 0xF7, is called where it is not read; nullptr where it is.
const char* foreign_process(uint8_t code) {
  switch (code) {
    case marker::kBaseline:
    case marker::kExtended:
    case marker::kProgressive:
      return nullptr;
    case 0xC3:
      return "a lossless JPEG";
    case 0xC9:
      return "a JPEG with arithmetic coding";
    case 0xCA:
      return "a progressive JPEG with arithmetic coding";
    case 0xCB:
      return "a lossless JPEG with arithmetic coding";
    case 0xF7:
      return "a JPEG-LS file";
    default:
      return "a hierarchical JPEG";
  }
}

bool is_frame(uint8_t code) {
  return (code >= 0xC0 && code <= 0xCF && code != marker::kHuffman && code != 0xC8 && code != 0xCC) || code == 0xF7;
}

}  // namespace

void JpegMarkers::require(bool condition, const char* fault) const {
  check<Refusal>(condition, "{}: corrupt JPEG: {}; copy or convert the file again", path_, fault);
}

const HuffmanTable* JpegMarkers::table(int type, unsigned number) const {
  const auto& own = tables_[static_cast<size_t>(type)][number];
  if (own) return &*own;
  // libjpeg-turbo takes the standard tables for those that a sequential file lacks.
  return !frame_.progressive && number < 2 ? &standard_huffman_table(type, number) : nullptr;
}

std::optional<uint8_t> JpegMarkers::next_marker() {
  while (true) {
    while (position < bytes_.size() && bytes_[position] != 0xFF) ++position;
    while (position < bytes_.size() && bytes_[position] == 0xFF) ++position;
    if (position >= bytes_.size()) return {};
    if (const uint8_t code = bytes_[position++]; code != 0) return code;
  }
}

bool JpegMarkers::next_scan() {
  while (const auto code = next_marker()) {
    if (*code == marker::kEnd) return false;
    if (*code == 0x01 || marker::is_restart(*code)) continue;  // These stand alone.
    require(*code != marker::kStart, "a second picture begins in the middle of the first");
    if (position + 2 > bytes_.size()) return false;
    const size_t length = size_t{bytes_[position]} * 256 + bytes_[position + 1];
    require(length >= 2, "a segment of a length below 2");
    if (position + length > bytes_.size()) return false;
    const std::span<const uint8_t> content = bytes_.subspan(position + 2, length - 2);
    position += length;
    segment(*code, content);
    if (*code == marker::kScan) return true;
  }
  return false;
}

void JpegMarkers::segment(uint8_t code, std::span<const uint8_t> content) {
  if (code == marker::kHuffman) {
    read_huffman_tables(content);
  } else if (code == marker::kQuantization) {
    read_quantization_tables(content);
  } else if (code == marker::kScan) {
    read_scan(content);
    in_header_ = false;
  } else if (code == marker::kRestartInterval) {
    require(content.size() == 2, "a restart interval of the wrong length");
    restart_interval_ = content[0] * 256 + content[1];
  } else if (code == marker::kApp1 && in_header_ && !orientation_) {
    static constexpr std::array<uint8_t, 6> kExif = {'E', 'x', 'i', 'f', 0, 0};
    if (content.size() > kExif.size() && std::equal(kExif.begin(), kExif.end(), content.begin())) {
      orientation_ = exif_orientation(content.subspan(kExif.size()));
    }
  } else if (is_frame(code)) {
    read_frame(code, content);
  }
}

void JpegMarkers::read_frame(uint8_t code, std::span<const uint8_t> content) {
  const char* foreign = foreign_process(code);
  check<Refusal>(foreign == nullptr,
                 "{}: is {}, which is not read; save it as a baseline or progressive JPEG, or as PNG", path_,
                 foreign != nullptr ? foreign : "");
  // B.2.2: precision, height, width, and 3 bytes for each component.
  require(content.size() >= 6 && content.size() == 6 + 3 * size_t{content[5]}, "a frame header of the wrong length");
  check<Refusal>(content[0] == 8, "{}: is a JPEG of {} bits per sample, expected 8; save it with 8 bits", path_,
                 content[0]);
  require(frame_.width == 0, "two frame headers");
  frame_.height = content[1] * 256 + content[2];
  frame_.width = content[3] * 256 + content[4];
  check<Refusal>(frame_.height > 0 || frame_.width == 0,
                 "{}: is a JPEG whose height stands behind its data (DNL marker), which is not read; save it again",
                 path_);
  check<Refusal>(frame_.width > 0, "{}: JPEG with an empty picture: {} x {} pixels", path_, frame_.width,
                 frame_.height);
  const size_t count = content[5];
  check<Refusal>(count == 1 || count == 3 || count == 4,
                 "{}: is a JPEG of {} colour components, expected 1 (grey), 3 (RGB or YCbCr) or 4 (CMYK or YCCK)",
                 path_, count);
  frame_.progressive = code == marker::kProgressive;
  frame_.components.resize(count);
  for (size_t i = 0; i < count; ++i) {
    JpegComponent& component = frame_.components[i];
    component.id = content[6 + 3 * i];
    component.h = content[7 + 3 * i] >> 4;
    component.v = content[7 + 3 * i] & 15;
    component.quantization = content[8 + 3 * i];
    require(component.quantization <= 3, "a quantisation table's number out of range");
    require(component.h >= 1 && component.h <= 4 && component.v >= 1 && component.v <= 4,
            "a sampling factor out of range");
    frame_.max_h = std::max(frame_.max_h, component.h);
    frame_.max_v = std::max(frame_.max_v, component.v);
  }
  for (JpegComponent& component : frame_.components) {
    component.blocks_x = divide_up(int64_t{frame_.width} * component.h, 8 * frame_.max_h);
    component.blocks_y = divide_up(int64_t{frame_.height} * component.v, 8 * frame_.max_v);
    component.padded_blocks_x = divide_up(frame_.width, 8 * frame_.max_h) * component.h;
    component.padded_blocks_y = divide_up(frame_.height, 8 * frame_.max_v) * component.v;
  }
}

void JpegMarkers::read_huffman_tables(std::span<const uint8_t> content) {
  // B.2.4.2: class and number, 16 counts of codes, the codes' values.
  while (!content.empty()) {
    require(content.size() >= 17, "a Huffman table is cut off");
    const unsigned type = content[0] >> 4;
    const unsigned number = content[0] & 15U;
    require(type <= 1 && number <= 3, "a Huffman table with a number out of range");
    const std::span<const uint8_t, 16> counts = content.subspan<1, 16>();
    size_t codes = 0;
    for (const uint8_t count : counts) codes += count;
    require(codes <= 256 && content.size() >= 17 + codes, "a Huffman table with too many codes");
    auto& table = tables_[type][number];
    table.emplace(counts, content.subspan(17, codes));
    require(table->is_valid(), "a Huffman table with more codes of a length than there can be");
    content = content.subspan(17 + codes);
  }
}

void JpegMarkers::read_quantization_tables(std::span<const uint8_t> content) {
  // B.2.4.1: precision and number, 64 values of one or two bytes.
  while (!content.empty()) {
    const unsigned precision = content[0] >> 4;
    const unsigned number = content[0] & 15U;
    const size_t size = precision == 0 ? 65 : 129;
    require(precision <= 1 && number <= 3 && content.size() >= size, "a quantisation table is cut off");
    dc_factors_[number] = precision == 0 ? content[1] : content[1] * 256 + content[2];
    content = content.subspan(size);
  }
}

void JpegMarkers::read_scan(std::span<const uint8_t> content) {
  // B.2.3: components with their tables, then first and last coefficient and bit positions.
  require(frame_.width > 0, "a scan before the frame header");
  require(!content.empty() && content[0] >= 1 && content[0] <= 4 && content.size() == 4 + 2 * size_t{content[0]},
          "a scan header of the wrong length");
  scan_ = {};
  for (size_t i = 0; i < content[0]; ++i) {
    const uint8_t id = content[1 + 2 * i];
    JpegScan::Component component;
    const auto in_scan = [&](size_t place) {
      return std::any_of(scan_.components.begin(), scan_.components.end(), [&](auto& c) { return c.place == place; });
    };
    while (component.place < frame_.components.size() &&
           (frame_.components[component.place].id != id || in_scan(component.place))) {
      ++component.place;
    }
    require(component.place < frame_.components.size(), "a scan of a component that the frame does not have");
    component.dc = content[2 + 2 * i] >> 4;
    component.ac = content[2 + 2 * i] & 15U;
    require(component.dc <= 3 && component.ac <= 3, "a scan with a Huffman table's number out of range");
    scan_.components.push_back(component);
  }
  // Sequential files have all coefficients in one scan, whatever they say.
  if (!frame_.progressive) return;
  const std::span<const uint8_t> rest = content.subspan(1 + 2 * size_t{content[0]});
  scan_.first = rest[0];
  scan_.last = rest[1];
  scan_.high = rest[2] >> 4;
  scan_.low = rest[2] & 15;
  const bool dc = scan_.first == 0;
  require(scan_.last <= 63 && scan_.first <= scan_.last && (!dc || scan_.last == 0) &&
              (dc || scan_.components.size() == 1) && scan_.low <= 13 &&
              (scan_.high == 0 || scan_.low == scan_.high - 1),
          "a progressive scan with coefficients out of range");
}

}  // namespace giza::train
