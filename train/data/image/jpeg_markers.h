// What the marker segments of a JPEG file say (ITU-T T.81, annex B).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "train/data/image/jpeg_huffman.h"

namespace giza::train {

namespace marker {
inline constexpr uint8_t kStart = 0xD8, kEnd = 0xD9, kScan = 0xDA, kRestart0 = 0xD0, kHuffman = 0xC4,
                         kQuantization = 0xDB, kRestartInterval = 0xDD, kApp1 = 0xE1, kBaseline = 0xC0,
                         kExtended = 0xC1, kProgressive = 0xC2;
constexpr bool is_restart(uint8_t code) { return code >= 0xD0 && code <= 0xD7; }
}  // namespace marker

/// One colour component of the frame. A block is 8 x 8 samples.
struct JpegComponent {
  uint8_t id = 0;
  int h = 1, v = 1;                              ///< sampling factors, 1 to 4
  int blocks_x = 0, blocks_y = 0;                ///< that hold samples of the picture
  int padded_blocks_x = 0, padded_blocks_y = 0;  ///< rounded up to whole MCUs of all components
  unsigned quantization = 0;                     ///< number of its table, 0 to 3
};

struct JpegFrame {
  bool progressive = false;
  int width = 0, height = 0;  ///< pixels; 0: no frame header was seen
  int max_h = 1, max_v = 1;
  std::vector<JpegComponent> components;
};

/// A scan header, whose components are places in the frame's list.
struct JpegScan {
  struct Component {
    size_t place = 0;
    unsigned dc = 0, ac = 0;  ///< numbers of Huffman tables, 0 to 3
  };
  std::vector<Component> components;
  int first = 0, last = 63;  ///< coefficients, in zigzag order
  int high = 0, low = 0;     ///< bit positions of successive approximation
};

/// Walks along the segments of a file in memory, as libjpeg does: bytes that belong to no segment are passed over.
/// `path` is for messages. Throws Refusal for what is not read (named) and what is broken.
class JpegMarkers {
 public:
  JpegMarkers(const std::string& path, std::span<const uint8_t> bytes) : path_(path), bytes_(bytes) {}

  /// Reads up to and with the next scan header; false where the file or the picture ends before one.
  bool next_scan();
  /// Where the coded data begin after a scan header. To be set to where they end before the next call.
  size_t position = 2;

  const JpegFrame& frame() const { return frame_; }
  const JpegScan& scan() const { return scan_; }
  /// In MCUs; 0: no restarts.
  int restart_interval() const { return restart_interval_; }
  /// Of class 0 (DC) or 1 (AC). nullptr if the file has none of this number.
  const HuffmanTable* table(int type, unsigned number) const;
  /// By how much a component's DC coefficients are multiplied; 0 if the file has not said it yet.
  int dc_factor(const JpegComponent& component) const { return dc_factors_[component.quantization]; }
  /// The value of EXIF's orientation tag in front of the first scan; see exif.h.
  std::optional<int> orientation() const { return orientation_; }
  const std::string& path() const { return path_; }
  std::span<const uint8_t> bytes() const { return bytes_; }

  /// The code of the next marker, which `position` is then behind. None where the file ends before one.
  std::optional<uint8_t> next_marker();
  void require(bool condition, const char* fault) const;

 private:
  void segment(uint8_t code, std::span<const uint8_t> content);
  void read_frame(uint8_t code, std::span<const uint8_t> content);
  void read_huffman_tables(std::span<const uint8_t> content);
  void read_quantization_tables(std::span<const uint8_t> content);
  void read_scan(std::span<const uint8_t> content);

  const std::string& path_;
  std::span<const uint8_t> bytes_;
  JpegFrame frame_;
  JpegScan scan_;
  int restart_interval_ = 0;
  std::optional<int> orientation_;
  bool in_header_ = true;  // No scan was seen yet.
  std::array<std::array<std::optional<HuffmanTable>, 4>, 2> tables_;
  std::array<int, 4> dc_factors_{};
};

}  // namespace giza::train
