// Reading a file that may be hostile: bounded positional reads, never mapped.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

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

/// `count` numbers that stand in the file as From, from byte `offset` on, each converted. In pieces, so that only the
/// result is large. Throws Refusal as read_at does.
template <class From, class Convert>
auto read_numbers(const InputFile& file, uint64_t offset, size_t count, Convert convert) {
  std::vector<decltype(convert(From{}))> numbers(count);
  constexpr size_t kPiece = size_t{1} << 16;
  std::vector<From> piece(std::min(count, kPiece));
  for (size_t done = 0; done < count; done += kPiece) {
    const size_t some = std::min(kPiece, count - done);
    file.read_at(offset + done * sizeof(From), piece.data(), some * sizeof(From));
    std::transform(piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(some),
                   numbers.begin() + static_cast<std::ptrdiff_t>(done), convert);
  }
  return numbers;
}

/// Text of a file as a refusal may quote it: at most 80 bytes, unprintable ones as '?', so that it stays one line.
std::string quotable(std::string_view text);

}  // namespace giza::models
