// FNV-1a (Fowler, Noll and Vo), 64 bits: tells changed settings, lists and files apart. No defence against forgery.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace giza {

class Fnv1a {
 public:
  /// Byte by byte.
  void add_bytes(std::string_view bytes) {
    for (const char byte : bytes) add_word(static_cast<unsigned char>(byte));
  }
  void add_bytes(std::span<const uint8_t> bytes) {
    for (const uint8_t byte : bytes) add_word(byte);
  }
  /// A step of the hash with 64 bits at once.
  void add_word(uint64_t word) { value_ = (value_ ^ word) * 0x100000001b3U; }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xcbf29ce484222325U;
};

}  // namespace giza
