// Writing the zip archives that PyTorch reads (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT).
#include "models/weights/pth/zip_writer.h"

#include <zlib.h>

#include <bit>
#include <cstring>

#include "tensor/base/check.h"

static_assert(std::endian::native == std::endian::little, "files are little-endian and written without swapping");

namespace giza::models {
namespace {

constexpr size_t kAlignment = 64, kLocalHeader = 30, kExtraHeader = 4;
constexpr uint16_t kNeeds = 20, kNeeds64 = 45;       // of the format needed to read: 2.0, with zip64 4.5
constexpr uint16_t kDate = (0 << 9) | (1 << 5) | 1;  // 1980-01-01, the first there is: no time stamps
constexpr uint32_t kWide = 0xFFFFFFFF;               // the zip64 field has the number

/// Fields of a header, one behind the other.
class Header {
 public:
  Header& u16(uint64_t value) { return append<uint16_t>(value); }
  Header& u32(uint64_t value) { return append<uint32_t>(value); }
  Header& u64(uint64_t value) { return append<uint64_t>(value); }
  Header& text(std::string_view text) {
    bytes_ += text;
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  template <class T>
  Header& append(uint64_t value) {
    const T narrow = static_cast<T>(value);
    bytes_.append(reinterpret_cast<const char*>(&narrow), sizeof narrow);
    return *this;
  }
  std::string bytes_;
};

/// What local header and directory say alike, from version to sizes.
Header& common_fields(Header& header, bool zip64, uint32_t crc, uint64_t size, bool wide_size) {
  const uint64_t shown = wide_size ? kWide : size;
  return header.u16(zip64 ? kNeeds64 : kNeeds).u16(0).u16(0).u16(0).u16(kDate).u32(crc).u32(shown).u32(shown);
}

}  // namespace

void ZipWriter::write(std::string_view bytes) {
  file_.write(bytes);
  position_ += bytes.size();
}

void ZipWriter::add(const std::string& name, const void* data, size_t bytes) {
  check<Error>(name.size() < 0x8000, "a record's name is {} bytes long", name.size());
  const bool wide = bytes >= zip64_from_;
  const Record record{name, position_, bytes,
                      static_cast<uint32_t>(crc32_z(0, static_cast<const Bytef*>(data), bytes))};
  Header extra;
  if (wide) extra.u16(1).u16(16).u64(bytes).u64(bytes);
  // Padding in an extra field of its own, "FB" as PyTorch has it.
  const uint64_t unpadded = position_ + kLocalHeader + name.size() + extra.bytes().size() + kExtraHeader;
  const size_t padding = (kAlignment - unpadded % kAlignment) % kAlignment;
  extra.text("FB").u16(padding).text(std::string(padding, 'Z'));
  Header local;
  local.u32(0x04034b50);
  common_fields(local, wide, record.crc, bytes, wide).u16(name.size()).u16(extra.bytes().size());
  local.text(name).text(extra.bytes());
  write(local.bytes());
  write({static_cast<const char*>(data), bytes});
  records_.push_back(record);
}

void ZipWriter::finish() {
  const uint64_t directory = position_;
  for (const Record& record : records_) {
    const bool wide_size = record.size >= zip64_from_, wide_offset = record.offset >= zip64_from_;
    Header extra;
    if (wide_size || wide_offset) extra.u16(1).u16((wide_size ? 16 : 0) + (wide_offset ? 8 : 0));
    if (wide_size) extra.u64(record.size).u64(record.size);
    if (wide_offset) extra.u64(record.offset);
    Header central;
    central.u32(0x02014b50).u16(kNeeds64);
    common_fields(central, wide_size || wide_offset, record.crc, record.size, wide_size);
    central.u16(record.name.size()).u16(extra.bytes().size()).u16(0).u16(0).u16(0).u32(0);
    central.u32(wide_offset ? kWide : record.offset).text(record.name).text(extra.bytes());
    write(central.bytes());
  }
  const uint64_t end = position_, size = end - directory, count = records_.size();
  Header last;
  // Always, as PyTorch's own: the end record then need not be judged by its size.
  last.u32(0x06064b50).u64(44).u16(kNeeds64).u16(kNeeds64).u32(0).u32(0).u64(count).u64(count);
  last.u64(size).u64(directory);
  last.u32(0x07064b50).u32(0).u64(end).u32(1);
  const uint64_t count16 = count >= 0xFFFF ? 0xFFFF : count;
  last.u32(0x06054b50).u16(0).u16(0).u16(count16).u16(count16);
  last.u32(size >= zip64_from_ ? kWide : size).u32(directory >= zip64_from_ ? kWide : directory).u16(0);
  write(last.bytes());
  file_.commit();
}

}  // namespace giza::models
