// Whether the coded data of a JPEG file are whole: every block is decoded, as far as that takes no arithmetic.
#include "train/data/image/jpeg_scan.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "tensor/base/check.h"

namespace giza::train {
namespace {

constexpr int kCoefficients = 64;
constexpr int kMostBits = 11;     // of a difference between DC coefficients of 8-bit samples (T.81, table F.1)
constexpr int kLargestDc = 1024;  // of 8-bit samples, before quantisation: 8 * 128

}  // namespace

/// One scan on its way.
class ScanDecoder {
 public:
  ScanDecoder(JpegScans& scans, JpegMarkers& markers)
      : scans_(scans),
        markers_(markers),
        scan_number_(scans.count_),
        frame_(markers.frame()),
        scan_(markers.scan()),
        begin_(markers.position),
        interval_begin_(markers.position),
        bits_(markers.bytes(), markers.position) {
    const bool one = scan_.components.size() == 1;
    for (const JpegScan::Component& part : scan_.components) {
      const JpegComponent& component = frame_.components[part.place];
      // A scan of one component has one block per MCU, and none beyond the picture's edge (T.81, A.2.2).
      Part p;
      p.columns = one ? 1 : component.h;
      p.rows = one ? 1 : component.v;
      p.stride = component.padded_blocks_x;
      p.dc = markers.table(0, part.dc);
      p.ac = markers.table(1, part.ac);
      p.dc_factor = markers.dc_factor(component) << scan_.low;
      if (frame_.progressive) p.nonzero = scans.nonzero_[part.place].data();
      parts_.push_back(p);
    }
    const JpegComponent& first = frame_.components[scan_.components.front().place];
    mcus_x_ = one ? first.blocks_x : first.padded_blocks_x / first.h;
    mcus_y_ = one ? first.blocks_y : first.padded_blocks_y / first.v;
    mcu_height_ = 8 * (one ? frame_.max_v / first.v : frame_.max_v);
    const bool dc = scan_.first == 0 && scan_.high == 0;
    const bool ac = frame_.progressive ? scan_.first > 0 : true;
    for (const Part& part : parts_) {
      markers.require((!dc || part.dc != nullptr) && (!ac || part.ac != nullptr),
                      "a scan uses a Huffman table that is missing");
    }
  }

  void run() {
    const int interval = markers_.restart_interval();
    int left = interval;
    for (y_ = 0; y_ < mcus_y_; ++y_) {
      row_begins_.push_back(bits_.position());
      for (x_ = 0; x_ < mcus_x_; ++x_) {
        if (interval > 0 && left == 0) {
          end_interval(true);
          restart();
          left = interval;
        }
        --left;
        const char* fault = decode_mcu();
        if (fault != nullptr) fail(fault);
        if (first_mcu_end_ == 0) first_mcu_end_ = bits_.byte_position() + 1;
        if (bits_.ran_out()) fail("its coded data end before the picture does");
      }
    }
    end_interval(false);
    markers_.position = bits_.position();
  }

 private:
  /// One component's share of an MCU.
  struct Part {
    int columns = 1, rows = 1;  // blocks
    int stride = 0;             // blocks in a row of `nonzero`
    const HuffmanTable* dc = nullptr;
    const HuffmanTable* ac = nullptr;
    uint64_t* nonzero = nullptr;
    int dc_factor = 1;  // quantisation
    int dc_value = 0;   // of the last block
  };

  /// nullptr, or what is wrong.
  const char* decode_mcu() {
    for (Part& part : parts_) {
      for (int v = 0; v < part.rows; ++v) {
        for (int h = 0; h < part.columns; ++h) {
          if (const char* fault = decode_block(part, x_ * part.columns + h, y_ * part.rows + v)) return fault;
        }
      }
    }
    return nullptr;
  }

  const char* decode_block(Part& part, int x, int y) {
    if (!frame_.progressive) {
      const size_t begin = bits_.position();
      const char* fault = decode_dc(part);
      if (fault == nullptr) fault = decode_ac(*part.ac);
      // Where zeros are a code of a coefficient, they make blocks of nothing but that. Positions are up to 8 bytes
      // late.
      const size_t end = bits_.position() - 8;
      return fault == nullptr && end >= begin + 12 && is_zero(begin, end) ? "zeros stand in place of coded data"
                                                                          : fault;
    }
    if (scan_.first == 0) {
      if (scan_.high == 0) return decode_dc(part);
      bits_.fill();
      bits_.skip(1);
      return nullptr;
    }
    uint64_t beyond = 0;  // for blocks below the picture, which only stray bytes lead to
    uint64_t& nonzero =
        y < mcus_y_ ? part.nonzero[static_cast<size_t>(y) * static_cast<size_t>(part.stride) + static_cast<size_t>(x)]
                    : beyond;
    return scan_.high == 0 ? decode_first_ac(*part.ac, nonzero) : refine_ac(*part.ac, nonzero);
  }

  static constexpr const char* kNoCode = "its coded data hold a bit sequence that is no code";
  static constexpr const char* kOutOfRange = "its coded data make a block brighter or more coloured than there is";
  static constexpr const char* kTooMany = "its coded data put more than 64 coefficients into a block";

  /// T.81, F.2.2.1.
  const char* decode_dc(Part& part) {
    bits_.fill();
    const int size = part.dc->decode(bits_);
    if (size < 0 || size > kMostBits) return kNoCode;
    const auto extra = static_cast<int>(bits_.take(size));
    // The lower half of the values of a size are negative (T.81, F.2.2.1).
    part.dc_value += size > 0 && extra < 1 << (size - 1) ? extra - (1 << size) + 1 : extra;
    // Every block's coefficient adds to the last one's, so data that are wrong lead away from what 8 bits can be.
    const int64_t most = kLargestDc + int64_t{2} * part.dc_factor;
    return std::abs(int64_t{part.dc_value} * part.dc_factor) > most ? kOutOfRange : nullptr;
  }

  bool is_zero(size_t begin, size_t end) const {
    const auto bytes = markers_.bytes();
    while (begin < end && bytes[begin] == 0) ++begin;
    return begin == end;
  }

  /// T.81, F.2.2.2.
  const char* decode_ac(const HuffmanTable& table) {
    for (int k = 1; k < kCoefficients;) {
      bits_.fill();
      const int symbol = table.decode(bits_);
      if (symbol < 0) return kNoCode;
      const int size = symbol & 15;
      const int run = symbol >> 4;
      if (size == 0 && run != 15) return nullptr;  // The rest is zero.
      k += run + 1;
      if (k > kCoefficients) return kTooMany;
      bits_.take(size);
    }
    return nullptr;
  }

  /// Starts a run of blocks without further coefficients, of which this one is the first (T.81, G.1.2.2).
  void begin_end_run(int exponent) { end_run_ = (1 << exponent) + static_cast<int>(bits_.take(exponent)); }

  /// T.81, G.1.2.2.
  const char* decode_first_ac(const HuffmanTable& table, uint64_t& nonzero) {
    for (int k = scan_.first; end_run_ == 0 && k <= scan_.last; ++k) {
      bits_.fill();
      const int symbol = table.decode(bits_);
      if (symbol < 0) return kNoCode;
      const int size = symbol & 15;
      const int run = symbol >> 4;
      if (size == 0 && run < 15) {
        begin_end_run(run);
        break;
      }
      k += run;
      if (k > scan_.last) return kTooMany;
      if (size > 0) nonzero |= uint64_t{1} << k;
      bits_.take(size);
    }
    if (end_run_ > 0) --end_run_;
    return nullptr;
  }

  void take_correction(uint64_t nonzero, int k) {
    if ((nonzero >> k & 1) == 0) return;
    bits_.fill();
    bits_.skip(1);
  }

  /// T.81, G.1.2.3.
  const char* refine_ac(const HuffmanTable& table, uint64_t& nonzero) {
    int k = scan_.first;
    for (; end_run_ == 0 && k <= scan_.last; ++k) {
      bits_.fill();
      const int symbol = table.decode(bits_);
      if (symbol < 0 || (symbol & 15) > 1) return kNoCode;
      const bool is_new = (symbol & 15) == 1;
      int run = symbol >> 4;
      if (!is_new && run < 15) {
        begin_end_run(run);
        break;
      }
      if (is_new) bits_.skip(1);  // its sign
      for (; k <= scan_.last; ++k) {
        if ((nonzero >> k & 1) != 0) {
          take_correction(nonzero, k);
        } else if (--run < 0) {
          break;
        }
      }
      if (is_new && k > scan_.last) return kTooMany;
      if (is_new) nonzero |= uint64_t{1} << k;
    }
    if (end_run_ == 0) return nullptr;
    for (; k <= scan_.last; ++k) take_correction(nonzero, k);
    --end_run_;
    return nullptr;
  }

  /// Examines what stands between the last block and the next marker: nothing, stray bytes, or the surplus that shows
  /// that a part of the data was lost or overwritten, so that blocks were found where none began.
  void end_interval(bool before_restart) {
    static constexpr const char* kSurplus = "its coded data go on after the last block";
    if (end_run_ > 0) fail(kSurplus);
    const int rest = bits_.rest_bits();
    const unsigned padding = rest == 0 ? 0 : bits_.peek(rest);
    note_padding(rest, padding);
    if (bits_.at_end()) return;
    // Encoders fill the last byte with ones (T.81, F.1.2.3), so that a whole picture ends in them.
    if (padding != (1U << rest) - 1) fail(kSurplus);
    const EntropyBits last_block = bits_;
    bits_.skip(rest);
    if (rest == 0 && ends_in_hole()) fail(kSurplus);
    if (has_stray_bytes()) {
      // No program leaves any in front of a restart marker: they are what is left of blocks that were read wrongly.
      if (before_restart) fail(kSurplus);
      // Blocks that follow the last one do so without padding; those of a part that was copied twice may have some.
      if (is_surplus(last_block) || (rest > 0 && is_surplus(bits_))) fail(kSurplus);
    }
    while (!bits_.at_end()) next_byte();
  }

  void note_padding(int bits, unsigned padding) {
    if (bits == 0) return;
    JpegScans::Endings& endings = scans_.endings_;
    if (padding == (1U << bits) - 1) {
      ++endings.usual;
    } else if (endings.odd++ == 0) {
      endings.first_odd_row = row();
    }
  }

  unsigned next_byte() {
    bits_.fill();
    return bits_.take(8);
  }

  /// True where the last coded bytes are zeros that go on behind the last block, as an overwritten part of a file
  /// leaves them. A few more than there were may be stray bytes. And where all blocks were read from zeros but the
  /// first, they are the blocks of a picture of one colour; then more zeros change nothing.
  bool ends_in_hole() {
    constexpr size_t kShort = 4, kLong = 64;
    const size_t end = bits_.byte_position();
    const auto& bytes = markers_.bytes();
    if (end < begin_ + kShort || !is_zero(end - kShort, std::min(end + 1, bytes.size()))) return false;
    size_t last = end;
    while (last < bytes.size() && bytes[last] == 0) ++last;
    size_t first = end;
    while (first > interval_begin_ && bytes[first - 1] == 0) --first;
    return last - end >= kLong && first > first_mcu_end_;
  }

  /// Whether bytes stand in front of the marker that are not zeros.
  bool has_stray_bytes() {
    const EntropyBits saved = bits_;
    bool zeros = true;
    while (zeros && !bits_.at_end()) zeros = next_byte() == 0;
    bits_ = saved;
    return !zeros;
  }

  /// True where what follows `start` decodes as whole MCUs up to the marker, which stray bytes seldom do.
  bool is_surplus(const EntropyBits& start) {
    if (scan_.high > 0) return false;  // Refinements are single bits: everything decodes.
    const EntropyBits saved = std::exchange(bits_, start);
    bool surplus = false;
    const std::vector<Part> parts = parts_;
    const int row = std::exchange(y_, mcus_y_);
    while (!surplus && decode_mcu() == nullptr && !bits_.ran_out()) {
      const int rest = bits_.rest_bits();
      surplus = bits_.at_end() && (rest == 0 || bits_.peek(rest) == (1U << rest) - 1);
    }
    bits_ = saved;
    parts_ = parts;
    y_ = row;
    end_run_ = 0;
    return surplus;
  }

  void restart() {
    const uint8_t expected = static_cast<uint8_t>(marker::kRestart0 + restarts_++ % 8);
    markers_.position = bits_.position();
    const auto found = markers_.next_marker();
    if (!found || *found != expected) {
      fail(found && marker::is_restart(*found) ? "its restart markers are not in order"
                                               : "its coded data end before the picture does");
    }
    bits_ = EntropyBits(markers_.bytes(), markers_.position);
    interval_begin_ = markers_.position;
    first_mcu_end_ = 0;
    end_run_ = 0;
    for (Part& part : parts_) part.dc_value = 0;
  }

  int row() const { return std::min(y_ * mcu_height_, frame_.height - 1); }

  [[noreturn]] void fail(std::string_view fault) const {
    const std::string scan = frame_.progressive ? fmt::format(" in scan {}", scan_number_) : std::string();
    throw Refusal(fmt::format("{}: damaged JPEG: {}, at row {} of {} ({} %){}{}; copy or download the file again",
                              markers_.path(), fault, row(), frame_.height, int64_t{100} * row() / frame_.height, scan,
                              zeros()));
  }

  /// Where a long run of zero bytes stands in the coded data read so far, as a copy that was broken off leaves behind.
  std::string zeros() const {
    constexpr size_t kLong = 64;
    const auto read = markers_.bytes().first(std::min(bits_.position(), markers_.bytes().size()));
    const auto found = std::search_n(read.begin() + static_cast<ptrdiff_t>(begin_), read.end(), kLong, 0);
    if (found == read.end()) return {};
    const auto place = static_cast<size_t>(found - read.begin());
    const auto next = std::upper_bound(row_begins_.begin(), row_begins_.end(), place);
    const auto row = std::max<ptrdiff_t>(0, next - row_begins_.begin() - 1) * mcu_height_;
    return fmt::format("; a long run of zero bytes begins at row {}", std::min<int64_t>(row, frame_.height - 1));
  }

  JpegScans& scans_;
  JpegMarkers& markers_;
  const int64_t scan_number_;  // from 1
  const JpegFrame& frame_;
  const JpegScan& scan_;
  const size_t begin_;
  size_t interval_begin_;     // of the coded data since the last restart
  size_t first_mcu_end_ = 0;  // behind the bytes that hold the interval's first MCU
  EntropyBits bits_;
  std::vector<Part> parts_;
  int mcus_x_ = 0, mcus_y_ = 0, mcu_height_ = 8;
  int x_ = 0, y_ = 0;  // the current MCU
  int restarts_ = 0;
  int end_run_ = 0;  // blocks, this one included, that hold no further coefficients
  std::vector<size_t> row_begins_;
};

JpegScans::JpegScans(JpegMarkers& markers) : markers_(markers) {}

bool JpegScans::finished() const { return whole_ && !markers_.frame().progressive; }

void JpegScans::decode() {
  const JpegFrame& frame = markers_.frame();
  const JpegScan& scan = markers_.scan();
  if (missing_bits_.empty()) {
    missing_bits_.resize(frame.components.size());
    for (auto& bits : missing_bits_) bits.fill(-1);
    for (const JpegComponent& component : frame.components) {
      const auto blocks =
          static_cast<size_t>(component.padded_blocks_x) * static_cast<size_t>(component.padded_blocks_y);
      if (frame.progressive) nonzero_.emplace_back(blocks);
    }
  }
  ++count_;
  for (const JpegScan::Component& part : scan.components) {
    auto& missing = missing_bits_[part.place];
    for (auto k = static_cast<size_t>(scan.first); k <= static_cast<size_t>(scan.last); ++k) {
      markers_.require(!frame.progressive || (std::max<int>(missing[k], 0) == scan.high && (k == 0 || missing[0] >= 0)),
                       "its scans are not in order");
      missing[k] = static_cast<int8_t>(scan.low);
    }
  }
  ScanDecoder(*this, markers_).run();
  whole_ = scan.components.size() == frame.components.size();
}

void JpegScans::require_complete() const {
  const JpegFrame& frame = markers_.frame();
  check<Refusal>(count_ > 0, "{}: damaged JPEG: it ends before its picture begins; copy or download the file again",
                 markers_.path());
  for (size_t c = 0; c < frame.components.size(); ++c) {
    const bool complete =
        std::all_of(missing_bits_[c].begin(), missing_bits_[c].end(), [](int8_t bits) { return bits == 0; });
    check<Refusal>(complete,
                   "{}: damaged JPEG: the file ends after {} of its scans; component {} of {} is {}; copy or download "
                   "the file again",
                   markers_.path(), count_, c + 1, frame.components.size(),
                   missing_bits_[c][0] < 0 ? "missing" : "there in part only");
  }
  // An encoder pads all pieces alike: with ones, or seldom with something else.
  check<Refusal>(
      endings_.odd == 0 || endings_.usual < 4 * endings_.odd + 4,
      "{}: damaged JPEG: {} of the {} pieces of its coded data do not end as the others do, the first before "
      "row {} of {}; copy or download the file again",
      markers_.path(), endings_.odd, endings_.odd + endings_.usual, std::min(endings_.first_odd_row + 1, frame.height),
      frame.height);
}

}  // namespace giza::train
