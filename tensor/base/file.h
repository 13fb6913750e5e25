// Files read with limits, since they may be hostile, and written so that nobody ever sees half of one.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace giza {

/// A system call's result, the call made again as long as a signal interrupts it.
template <class Call>
auto retried(const Call& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

/// A regular file open for reading; never mapped. Its size is taken once, and every read is checked against it.
class InputFile {
 public:
  /// `expected` completes "expected ..." in refusals. Throws Refusal "PATH: ..." for what is missing, unreadable, or no
  /// regular file: a pipe or a device could block or never end.
  explicit InputFile(const std::string& path, const char* expected = "the path of a file");
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

/// The first `prefix` bytes of a file, or all of it where it is shorter. Throws Refusal as InputFile.
std::vector<uint8_t> read_file_prefix(const std::string& path, size_t prefix);
/// The whole file. Throws Refusal as InputFile, and for a file larger than `limit`, before reading it.
std::vector<uint8_t> read_file(const std::string& path, size_t limit);

/// Files that nothing of this process may write over as long as this lives, by whatever name: those that it reads.
class KeptFiles {
 public:
  /// Paths that lead to no file are left out.
  explicit KeptFiles(const std::vector<std::string>& paths);
  ~KeptFiles();
  KeptFiles(const KeptFiles&) = delete;
  KeptFiles& operator=(const KeptFiles&) = delete;

 private:
  std::vector<std::pair<uint64_t, uint64_t>> added_;  // device and number
};
/// Throws Refusal "PATH: ..." if one of them is there.
void check_not_kept(const std::string& path);

/// True if what is written to `path` goes where standard output goes: /dev/stdout, or the file or pipe that it is.
bool is_standard_output(const std::string& path);

/// A file that nobody ever sees half of: bytes go to a temporary file beside `path`, and commit() syncs it, renames it
/// to `path` and syncs the folder. A kill at any moment leaves the old file or the new one. What stands at `path`
/// already decides the rest:
/// - a link stays, and what it points to is replaced, or made where it is missing;
/// - a file's mode and owner stay;
/// - a pipe, a terminal or a device (/dev/null, /dev/stdout, `>(command)`) cannot be replaced, and is written to
///   directly. What a killed process left of its temporary files in the folder (".giza-*.tmp") is removed; those of a
///   process that still writes are locked, and stay.
class OutputFile {
 public:
  /// unsynced: for what can be made again, such as pictures; a crash of the whole machine may then lose it.
  enum class Durability { synced, unsynced };
  /// Throws Refusal if `path` is a folder or a KeptFile, Error "FILE: ..." if no file can be made.
  explicit OutputFile(const std::string& path, Durability durability = Durability::synced);
  /// Removes the temporary file unless commit() was called.
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// Throw Error "FILE: ..." when writing fails, a full disk included.
  void write(const void* data, size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void commit();

 private:
  void open_temporary();
  [[noreturn]] void fail(const char* action) const;
  std::string path_, target_;  // as given, and what its links lead to
  std::string temporary_;      // empty where bytes go to the target directly
  Durability durability_;
  int descriptor_ = -1;
};

/// All of `text` or `bytes` as the file `path`, as above.
void write_file(const std::string& path, std::string_view text);
void write_file(const std::string& path, std::span<const uint8_t> bytes,
                OutputFile::Durability durability = OutputFile::Durability::synced);
/// Makes a folder and those above it, as far as they are not there. Throws Refusal "FOLDER: ...".
void make_folder(const std::string& folder);
/// Points the link `path`, in a folder that giza owns, at the file `name` beside it, without a moment when there is
/// none. Where the file system has no symbolic links it becomes another name of the same file, or else a copy. Throws
/// Error.
void point_link_at(const std::string& path, const std::string& name);
/// Makes the links and names of a folder last through a crash. Throws Error.
void sync_folder(const std::string& folder);

}  // namespace giza
