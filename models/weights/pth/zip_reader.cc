// The zip archives that PyTorch writes (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT).
#include "models/weights/pth/zip_reader.h"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/base/text.h"

static_assert(std::endian::native == std::endian::little, "files are little-endian and read without swapping");

namespace giza::models {
namespace {

constexpr uint64_t kMaxDirectory = uint64_t{32} << 20;
constexpr uint64_t kMaxRecords = uint64_t{1} << 17;
constexpr size_t kEndSize = 22, kEnd64Size = 56, kLocatorSize = 20, kCentralSize = 46, kLocalSize = 30;
constexpr size_t kLongestComment = 0xFFFF;
constexpr std::string_view kEndSignature = "PK\x05\x06";
constexpr uint16_t kNone16 = 0xFFFF;
constexpr uint32_t kNone32 = 0xFFFFFFFF;
// Flags of a record: bit 3, the local header leaves sizes and CRC to a descriptor behind the data; bit 11, the name is
// UTF-8. Others mean encryption, patches or compression levels.
constexpr uint16_t kDescriptor = 1 << 3, kUtf8 = 1 << 11;

/// Takes fixed-size fields from the front of bytes whose length was checked by the caller.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : rest_(bytes) {}
  template <class T>
  T take() {
    T value{};
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }
  std::string_view take_bytes(size_t count) {
    const std::string_view bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return bytes;
  }
  size_t left() const { return rest_.size(); }

 private:
  std::string_view rest_;
};

/// A field of 32 bits that may stand in the zip64 extra field instead.
uint64_t wide(uint32_t narrow, Fields* zip64, const std::string& path) {
  if (narrow != kNone32) return narrow;
  check<Refusal>(zip64->left() >= 8, "{}: a record's zip64 field is missing or short; copy the file again", path);
  return zip64->take<uint64_t>();
}

/// The zip64 extra field among the extra fields of a record; empty where there is none.
std::string_view zip64_of(std::string_view extra, const std::string& path) {
  std::string_view found;
  Fields fields(extra);
  while (fields.left() >= 4) {
    const auto id = fields.take<uint16_t>();
    const auto length = fields.take<uint16_t>();
    check<Refusal>(length <= fields.left(), "{}: an extra field of a record is cut off; copy the file again", path);
    const std::string_view body = fields.take_bytes(length);
    if (id == 1) found = body;
  }
  return found;
}

}  // namespace

ZipReader::ZipReader(const InputFile& file, Judge judge) : file_(file) {
  const Directory directory = find_directory();
  bytes_behind_ = directory.bytes_behind;
  read_directory(directory, judge);
  check_local_headers(directory.offset);
}

ZipReader::Directory ZipReader::find_directory() const {
  const std::string& path = file_.path();
  check<Refusal>(file_.size() >= kEndSize, "{}: {} bytes are too few for a .pth file; is it cut off?", path,
                 file_.size());
  // The last end record counts, as for PyTorch. Behind it may be the archive's comment, and what was appended to the
  // file.
  const uint64_t tail_at = file_.size() - std::min<uint64_t>(file_.size(), kEndSize + kLongestComment);
  const std::string tail = file_.read_at(tail_at, file_.size() - tail_at);
  const size_t found = tail.rfind(kEndSignature, tail.size() - kEndSize);
  check<Refusal>(
      found != std::string::npos,
      "{}: the file does not end as a .pth file does: it is cut off or has something behind it; copy it again", path);
  const uint64_t end_at = tail_at + found;
  Fields end(std::string_view(tail).substr(found + kEndSignature.size()));
  const auto disk = end.take<uint16_t>(), first_disk = end.take<uint16_t>();
  const auto here = end.take<uint16_t>(), total = end.take<uint16_t>();
  const auto size = end.take<uint32_t>(), offset = end.take<uint32_t>();
  const auto comment = end.take<uint16_t>();
  check<Refusal>(disk == 0 && first_disk == 0 && here == total,
                 "{}: the archive has several parts, expected a file as torch.save writes it", path);
  check<Refusal>(comment <= end.left(), "{}: the comment of the archive is cut off; copy the file again", path);
  Directory directory{offset, size, total, end.left() - comment};

  uint64_t directory_end = end_at;
  if (end_at >= kLocatorSize + kEnd64Size) {
    const std::string locator_bytes = file_.read_at(end_at - kLocatorSize, kLocatorSize);
    Fields locator(locator_bytes);
    if (locator.take<uint32_t>() == 0x07064b50) {
      directory_end = end_at - kLocatorSize - kEnd64Size;
      const auto end64_disk = locator.take<uint32_t>();
      const auto end64_at = locator.take<uint64_t>();
      const auto disks = locator.take<uint32_t>();
      check<Refusal>(end64_disk == 0 && disks <= 1 && end64_at == directory_end,
                     "{}: the zip64 end record is not where it should be; copy the file again", path);
      const std::string end64_bytes = file_.read_at(end64_at, kEnd64Size);
      Fields end64(end64_bytes);
      const auto signature = end64.take<uint32_t>();
      const auto length = end64.take<uint64_t>();
      end64.take_bytes(4);  // versions
      const auto disk64 = end64.take<uint32_t>(), first_disk64 = end64.take<uint32_t>();
      const auto here64 = end64.take<uint64_t>(), total64 = end64.take<uint64_t>();
      const auto size64 = end64.take<uint64_t>(), offset64 = end64.take<uint64_t>();
      const bool agree = (total == kNone16 || total == total64) && (size == kNone32 || size == size64) &&
                         (offset == kNone32 || offset == offset64);
      check<Refusal>(signature == 0x06064b50 && length == kEnd64Size - 12 && disk64 == 0 && first_disk64 == 0 &&
                         here64 == total64 && agree,
                     "{}: the zip64 end record is damaged or does not agree with the end record; copy the file again",
                     path);
      directory = {offset64, size64, total64, directory.bytes_behind};
    }
  }
  check<Refusal>(directory.offset <= directory_end && directory.size == directory_end - directory.offset,
                 "{}: the directory of the archive is not where its end record says: the file is cut off or has "
                 "something before it; copy it again",
                 path);
  check<Refusal>(directory.size <= kMaxDirectory && directory.records <= kMaxRecords &&
                     directory.records <= directory.size / kCentralSize,
                 "{}: the directory claims {} records in {} bytes, at most {} in {} are allowed", path,
                 directory.records, directory.size, kMaxRecords, kMaxDirectory);
  return directory;
}

void ZipReader::read_directory(const Directory& directory, Judge judge) {
  const std::string& path = file_.path();
  const std::string bytes = file_.read_at(directory.offset, directory.size);
  Fields fields(bytes);
  records_.reserve(directory.records);
  std::string fault;  // the first; not yet thrown, for the names may tell more
  for (uint64_t i = 0; i < directory.records; ++i) {
    check<Refusal>(fields.left() >= kCentralSize && fields.take<uint32_t>() == 0x02014b50,
                   "{}: the directory is damaged at record {} of {}; copy the file again", path, i, directory.records);
    fields.take_bytes(4);  // versions
    const auto flags = fields.take<uint16_t>(), method = fields.take<uint16_t>();
    fields.take_bytes(4);  // time and date
    ZipRecord record;
    record.crc = fields.take<uint32_t>();
    const auto packed = fields.take<uint32_t>(), size = fields.take<uint32_t>();
    const auto name_length = fields.take<uint16_t>(), extra_length = fields.take<uint16_t>();
    const auto comment_length = fields.take<uint16_t>(), disk = fields.take<uint16_t>();
    fields.take_bytes(6);  // attributes
    const auto offset = fields.take<uint32_t>();
    check<Refusal>(size_t{name_length} + extra_length + comment_length <= fields.left(),
                   "{}: the directory is damaged at record {} of {}; copy the file again", path, i, directory.records);
    record.name = fields.take_bytes(name_length);
    Fields zip64(zip64_of(fields.take_bytes(extra_length), path));
    fields.take_bytes(comment_length);
    record.size = wide(size, &zip64, path);
    const uint64_t packed_size = wide(packed, &zip64, path);
    record.offset = wide(offset, &zip64, path);
    if (fault.empty() && method != 0) {
      fault = fmt::format(
          "record {} is compressed (method {}), expected stored records as torch.save writes them; do not zip the file "
          "again",
          quotable(record.name), method);
    } else if (fault.empty() && ((flags & ~(kDescriptor | kUtf8)) != 0 || packed_size != record.size || disk != 0)) {
      fault = fmt::format("record {} is encrypted or of a kind that torch.save does not write", quotable(record.name));
    }
    has_checksums_ = has_checksums_ || record.crc != 0;
    records_.push_back(std::move(record));
  }
  if (judge != nullptr) judge(records_, path);
  check<Refusal>(fault.empty(), "{}: {}", path, fault);
  check<Refusal>(fields.left() == 0, "{}: the directory holds {} bytes that belong to no record", path, fields.left());
  std::sort(records_.begin(), records_.end(), [](const ZipRecord& a, const ZipRecord& b) { return a.name < b.name; });
  const auto twice = std::adjacent_find(records_.begin(), records_.end(),
                                        [](const ZipRecord& a, const ZipRecord& b) { return a.name == b.name; });
  check<Refusal>(twice == records_.end(), "{}: record {} occurs twice", path,
                 twice == records_.end() ? "" : quotable(twice->name));
}

void ZipReader::check_local_headers(uint64_t directory_offset) {
  const std::string& path = file_.path();
  std::vector<ZipRecord*> in_file;
  in_file.reserve(records_.size());
  for (ZipRecord& record : records_) in_file.push_back(&record);
  std::sort(in_file.begin(), in_file.end(),
            [](const ZipRecord* a, const ZipRecord* b) { return a->offset < b->offset; });
  uint64_t free_from = 0;  // everything before belongs to a record already
  for (ZipRecord* record : in_file) {
    const size_t header_size = kLocalSize + record->name.size();
    check<Refusal>(record->offset >= free_from && record->offset <= directory_offset &&
                       header_size <= directory_offset - record->offset,
                   "{}: record {} begins at byte {}, inside another record or behind the last", path,
                   quotable(record->name), record->offset);
    const std::string bytes = file_.read_at(record->offset, header_size);
    Fields fields(bytes);
    const auto signature = fields.take<uint32_t>();
    fields.take_bytes(2);  // version
    const auto flags = fields.take<uint16_t>(), method = fields.take<uint16_t>();
    fields.take_bytes(4);  // time and date
    const auto crc = fields.take<uint32_t>(), packed = fields.take<uint32_t>(), size = fields.take<uint32_t>();
    const auto name_length = fields.take<uint16_t>(), extra_length = fields.take<uint16_t>();
    // With a descriptor the three fields are usually zero; without, they are true or refer to a zip64 field.
    const auto fits = [&](uint32_t field, uint64_t truth) {
      return field == truth || field == kNone32 || ((flags & kDescriptor) != 0 && field == 0);
    };
    const bool agrees = signature == 0x04034b50 && method == 0 && (flags & ~(kDescriptor | kUtf8)) == 0 &&
                        name_length == record->name.size() && fields.take_bytes(name_length) == record->name &&
                        (crc == record->crc || ((flags & kDescriptor) != 0 && crc == 0)) &&
                        fits(packed, record->size) && fits(size, record->size);
    check<Refusal>(agrees, "{}: the header of record {} does not agree with the directory; copy the file again", path,
                   quotable(record->name));
    const uint64_t data = record->offset + header_size + extra_length;
    check<Refusal>(data <= directory_offset && record->size <= directory_offset - data,
                   "{}: record {} has {} bytes at {}, which is more than the file holds", path, quotable(record->name),
                   record->size, data);
    record->offset = data;
    free_from = data + record->size;
  }
}

const ZipRecord* ZipReader::find(std::string_view name) const {
  const auto found = std::lower_bound(records_.begin(), records_.end(), name,
                                      [](const ZipRecord& record, std::string_view key) { return record.name < key; });
  return found != records_.end() && found->name == name ? &*found : nullptr;
}

std::string ZipReader::read(const ZipRecord& record, uint64_t longest) const {
  check<Refusal>(record.size <= longest, "{}: record {} is {} bytes long, at most {} are allowed", file_.path(),
                 quotable(record.name), record.size, longest);
  std::string bytes = file_.read_at(record.offset, record.size);
  check<Refusal>(!has_checksums_ || crc32(bytes.data(), bytes.size()) == record.crc,
                 "{}: the checksum of record {} is wrong: the file is damaged; copy it again", file_.path(),
                 quotable(record.name));
  return bytes;
}

uint32_t ZipReader::crc32(const void* data, size_t bytes) {
  return static_cast<uint32_t>(crc32_z(0, static_cast<const Bytef*>(data), bytes));
}

}  // namespace giza::models
