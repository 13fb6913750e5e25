// Writing the zip archives that PyTorch reads: stored records with aligned data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/base/file.h"

namespace giza::models {

/// Writes records one after the other into a file that appears at finish(). No time stamps: the same records give the
/// same bytes. Sizes and places of 4 GiB and more use zip64. Throws Error when writing fails.
class ZipWriter {
 public:
  /// `zip64_from`: the size or place from which the zip64 fields are used; tests lower it.
  explicit ZipWriter(const std::string& path, uint64_t zip64_from = 0xFFFFFFFF)
      : file_(path), zip64_from_(zip64_from) {}

  /// Appends a record whose data begins at a multiple of 64 bytes of the file, as PyTorch's own do.
  void add(const std::string& name, const void* data, size_t bytes);
  void add(const std::string& name, std::string_view data) { add(name, data.data(), data.size()); }
  /// Writes the directory; the file is then complete and in place.
  void finish();

 private:
  struct Record {
    std::string name;
    uint64_t offset, size;  ///< of the local header; of the data
    uint32_t crc;
  };
  void write(std::string_view bytes);

  OutputFile file_;
  uint64_t zip64_from_;
  uint64_t position_ = 0;
  std::vector<Record> records_;
};

}  // namespace giza::models
