// Numbers that the makers of tests/golden draw from a name and a position, so that goldens need not store them.
#pragma once

#include <cstdint>
#include <string>

namespace giza {

inline uint32_t crc32(const std::string& text) {
  uint32_t crc = 0xFFFFFFFF;
  for (const unsigned char byte : text) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
  }
  return ~crc;
}

/// The makers' `mixed`: number i of the name whose crc32 is `key`, in [-0.5, 0.5).
inline double mixed(uint32_t key, uint64_t i) {
  uint64_t x = (i * 2654435761ULL + key * 40503ULL) & 0xFFFFFFFF;
  x ^= x >> 15;
  x = x * 2246822519ULL & 0xFFFFFFFF;
  x ^= x >> 13;
  return static_cast<double>(x >> 8) / 16777216.0 - 0.5;
}

}  // namespace giza
