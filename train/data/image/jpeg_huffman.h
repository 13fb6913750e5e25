// Huffman tables of JPEG files (ITU-T T.81, annexes C and F), and bits read by them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace giza::train {

/// Coded data of one scan or restart interval, as bits. Stuffed zero bytes after 0xFF are left out; a marker or the end
/// of the file ends the data, and zeros follow.
class EntropyBits {
 public:
  EntropyBits(std::span<const uint8_t> bytes, size_t position) : bytes_(bytes), at_(position) {}

  /// Makes at least 32 bits ready for peek and skip.
  void fill() {
    if (count_ <= 32) refill();
  }
  /// The next 1 to 16 bits.
  unsigned peek(int bits) const { return static_cast<unsigned>(bits_ >> (64 - bits)); }
  void skip(int bits) {
    bits_ <<= bits;
    count_ -= bits;
  }
  /// As skip, for 0 bits too, and returns them. 0 to 16.
  unsigned take(int bits) {
    if (bits == 0) return 0;
    const unsigned value = peek(bits);
    skip(bits);
    return value;
  }

  /// True when bits were used that the file does not hold.
  bool ran_out() const { return count_ < zeros_; }
  /// Bits of the current byte that were not used, 0 to 7.
  int rest_bits() const { return (count_ - zeros_) & 7; }
  /// True where nothing but rest_bits() is left in front of the marker.
  bool at_end() {
    if (count_ - zeros_ >= 8) return false;
    fill();
    return count_ - zeros_ < 8;
  }
  /// Where in the file the next bits stand, up to 8 bytes late. After at_end(): the marker, or the end of the file.
  size_t position() const { return at_; }
  /// The same, late by stuffed bytes alone.
  size_t byte_position() const { return at_ - static_cast<size_t>((count_ - zeros_) / 8); }

 private:
  void refill();

  std::span<const uint8_t> bytes_;
  size_t at_;
  uint64_t bits_ = 0;  // The next one is the highest.
  int count_ = 0;      // Bits ready.
  int zeros_ = 0;      // How many of them were made up.
};

/// A table, ready for decoding.
class HuffmanTable {
 public:
  /// `counts`: how many codes have 1 to 16 bits; `symbols`: their values in order.
  /// `is_valid()` is false where the codes do not fit their lengths.
  HuffmanTable(std::span<const uint8_t, 16> counts, std::span<const uint8_t> symbols);
  bool is_valid() const { return valid_; }

  /// The next symbol; -1 where no code fits. At least 16 bits must be ready.
  int decode(EntropyBits& bits) const {
    const uint16_t entry = quick_[bits.peek(kQuickBits)];
    if (entry != 0) {
      bits.skip(entry >> 8);
      return entry & 0xFF;
    }
    return decode_long(bits);
  }

 private:
  static constexpr int kQuickBits = 9;
  int decode_long(EntropyBits& bits) const;

  bool valid_ = true;
  std::array<uint16_t, 1 << kQuickBits> quick_{};  // length * 256 + symbol; 0: the code is longer
  std::array<int, 17> first_code_{}, first_place_{}, code_count_{};
  std::array<uint8_t, 256> symbols_{};
};

/// The tables that a file without its own is coded by, as frames of Motion JPEG are (annex K.3): class 0 (DC) or 1
/// (AC), number 0 (luminance) or 1 (chrominance).
const HuffmanTable& standard_huffman_table(int type, unsigned number);

}  // namespace giza::train
