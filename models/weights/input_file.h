// Reading a file that may be hostile: bounded positional reads, never mapped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace giza::models {

/// A regular file open for reading. Its size is taken once; every read is checked against it.
class InputFile {
 public:
  /// `expected` completes "expected ..." in refusals. Throws Refusal "PATH: ..." for what is missing, unreadable, or no
  /// regular file: a pipe or a device could block or never end.
  InputFile(const std::string& path, const char* expected);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }

  /// Reads bytes [offset, offset + bytes). Throws Refusal "PATH: ..." where the file has not so many.
  void read_at(uint64_t offset, void* to, size_t bytes) const;
  std::string read_at(uint64_t offset, size_t bytes) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  uint64_t size_ = 0;
};

/// Text of a file as a refusal may quote it: at most 80 bytes, unprintable ones as '?', so that it stays one line.
std::string quotable(std::string_view text);

}  // namespace giza::models
