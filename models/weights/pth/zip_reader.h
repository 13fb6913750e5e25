// The zip archives that PyTorch writes: stored records, found through the central directory, every claim checked.
//
// Our own reader and not libzip: libzip does not tell where a record lies in the file, so that overlapping records, the
// zip bomb that works without compression, cannot be found through it; it also accepts much that torch.save never
// writes (compression, encryption, an archive behind other data), each of which would have to be refused again after it
// was parsed. What is left of the format here is three fixed headers.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/base/file.h"

namespace giza::models {

/// One record: its bytes stand in the file as they are.
struct ZipRecord {
  std::string name;
  uint64_t offset = 0;  ///< of the first byte of data, from the beginning of the file
  uint64_t size = 0;
  uint32_t crc = 0;  ///< CRC-32 that the archive promises
};

/// The directory of an archive, zip64 included. Memory: at most four times that of the directory, which is at most 32
/// MiB with at most 131,072 records.
class ZipReader {
 public:
  /// Throws Refusal "FILE: ..." for compressed, encrypted or overlapping records, a name twice, local headers that
  /// differ from the directory, a directory that the end record does not follow, sizes beyond the file. `judge`, if
  /// given, sees the names before anything else of the records is checked, and may throw a Refusal that says what the
  /// archive is instead; of these records only the names can be relied on.
  using Judge = void (*)(std::span<const ZipRecord> records, const std::string& path);
  explicit ZipReader(const InputFile& file, Judge judge = nullptr);

  /// The records in the order of their names.
  const std::vector<ZipRecord>& records() const { return records_; }
  /// False where every record's checksum is 0: PyTorch can be told not to compute them (set_crc32_options).
  bool has_checksums() const { return has_checksums_; }
  /// How many bytes the file goes on for behind the archive and its comment, at most 64 KiB.
  uint64_t bytes_behind() const { return bytes_behind_; }
  /// The record of that name, or nullptr.
  const ZipRecord* find(std::string_view name) const;
  /// The bytes of a record. Throws Refusal where it is longer than `longest` or its CRC-32 is wrong.
  std::string read(const ZipRecord& record, uint64_t longest) const;

  /// CRC-32 as zip has it.
  static uint32_t crc32(const void* data, size_t bytes);
  static bool is_zip(std::string_view first_bytes) { return first_bytes.starts_with("PK\x03\x04"); }

 private:
  struct Directory {
    uint64_t offset = 0, size = 0, records = 0, bytes_behind = 0;
  };
  Directory find_directory() const;
  void read_directory(const Directory& directory, Judge judge);
  void check_local_headers(uint64_t directory_offset);

  const InputFile& file_;
  std::vector<ZipRecord> records_;
  bool has_checksums_ = false;
  uint64_t bytes_behind_ = 0;
};

}  // namespace giza::models
