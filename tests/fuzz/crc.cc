// Checksums of mutated files set right again.
#include "tests/fuzz/crc.h"

#include <zlib.h>

#include <cstring>
#include <string_view>

namespace giza {
namespace {

uint32_t crc_of(const uint8_t* data, size_t size) { return static_cast<uint32_t>(crc32_z(0, data, size)); }

uint32_t little(const uint8_t* at, int bytes) {
  uint32_t value = 0;
  for (int i = bytes; i-- > 0;) value = value << 8 | at[i];
  return value;
}

}  // namespace

void mend_png(uint8_t* data, size_t size) {
  constexpr size_t kSignature = 8, kHead = 8, kCrc = 4;
  for (size_t at = kSignature; at + kHead + kCrc <= size;) {
    const size_t length = size_t{data[at]} << 24 | data[at + 1] << 16 | data[at + 2] << 8 | data[at + 3];
    if (length > size - at - kHead - kCrc) return;
    const uint32_t crc = crc_of(data + at + 4, length + 4);
    uint8_t* place = data + at + kHead + length;
    for (int i = 0; i < 4; ++i) place[i] = static_cast<uint8_t>(crc >> (24 - 8 * i));
    at += kHead + length + kCrc;
  }
}

void mend_zip(uint8_t* data, size_t size) {
  constexpr std::string_view kCentral = "PK\x01\x02", kLocal = "PK\x03\x04";
  constexpr size_t kCentralSize = 46, kLocalSize = 30;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  for (size_t at = all.find(kCentral); at != std::string_view::npos; at = all.find(kCentral, at + 1)) {
    if (size - at < kCentralSize) return;
    const size_t bytes = little(data + at + 20, 4), local = little(data + at + 42, 4);
    if (local > size || size - local < kLocalSize || !all.substr(local).starts_with(kLocal)) continue;
    const size_t begin = local + kLocalSize + little(data + local + 26, 2) + little(data + local + 28, 2);
    if (begin > size || bytes > size - begin) continue;
    const uint32_t crc = crc_of(data + begin, bytes);
    std::memcpy(data + at + 16, &crc, sizeof crc);
    std::memcpy(data + local + 14, &crc, sizeof crc);
  }
}

}  // namespace giza
