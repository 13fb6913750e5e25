// Files read with limits and written whole or not at all.
#include "tensor/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "tensor/base/check.h"

namespace giza {
namespace {

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

}  // namespace

InputFile::InputFile(const std::string& path, const char* expected) : path_(path) {
  // O_NONBLOCK: opening a pipe that nobody writes to would wait forever.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  const int reason = errno;
  check<Refusal>(descriptor_ >= 0 || reason != ENOENT, "{}: there is no such file, expected {}", path, expected);
  check<Refusal>(descriptor_ >= 0, "{}: the file cannot be opened for reading: {}", path, std::strerror(reason));
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);  // the destructor of a half-made object does not run
    throw Refusal(fmt::format("{}: this is not a regular file, expected {}", path, expected));
  }
  size_ = static_cast<uint64_t>(status.st_size);
}

InputFile::~InputFile() { ::close(descriptor_); }

void InputFile::read_at(uint64_t offset, void* to, size_t bytes) const {
  check<Refusal>(offset <= size_ && bytes <= size_ - offset,
                 "{}: {} bytes at {} are needed, the file has {}: it is cut off or corrupt; copy it again", path_,
                 bytes, offset, size_);
  char* at = static_cast<char*>(to);
  while (bytes > 0) {
    const ssize_t got = ::pread(descriptor_, at, bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    check<Refusal>(got > 0, "{}: the file cannot be read at byte {}; copy it again", path_, offset);
    at += got;
    bytes -= static_cast<size_t>(got);
    offset += static_cast<uint64_t>(got);
  }
}

std::string InputFile::read_at(uint64_t offset, size_t bytes) const {
  check<Refusal>(bytes <= size_, "{}: {} bytes are needed, the file has {}", path_, bytes, size_);
  std::string result(bytes, '\0');
  read_at(offset, result.data(), bytes);
  return result;
}

std::vector<uint8_t> read_file_prefix(const std::string& path, size_t prefix) {
  const InputFile file(path);
  std::vector<uint8_t> bytes(static_cast<size_t>(std::min<uint64_t>(file.size(), prefix)));
  file.read_at(0, bytes.data(), bytes.size());
  return bytes;
}

std::vector<uint8_t> read_file(const std::string& path, size_t limit) {
  const InputFile file(path);
  check<Refusal>(file.size() <= limit, "{}: has {} bytes, at most {} are accepted; is it the right file?", path,
                 file.size(), limit);
  std::vector<uint8_t> bytes(static_cast<size_t>(file.size()));
  file.read_at(0, bytes.data(), bytes.size());
  return bytes;
}

AtomicFile::AtomicFile(const std::string& path, Durability durability) : path_(path), durability_(durability) {
  // A link stays, and what it points to is replaced.
  std::error_code error;
  if (std::filesystem::is_symlink(path_, error)) {
    const std::filesystem::path target = std::filesystem::weakly_canonical(path_, error);
    if (!error) path_ = target.string();
  }
  // The process id and a counter keep two writers of one name apart; what a killed one leaves behind ends in .tmp.
  static std::atomic<unsigned> counter{0};
  temporary_ = fmt::format("{}.{}.{}.tmp", path_, ::getpid(), counter++);
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail("cannot be created");
  // A file that was there keeps its mode.
  struct stat before {};
  if (::stat(path_.c_str(), &before) == 0) ::fchmod(descriptor_, before.st_mode & 07777);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, size_t bytes) {
  const char* from = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(descriptor_, from, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("cannot be written");
    from += written;
    bytes -= static_cast<size_t>(written);
  }
}

void AtomicFile::commit() {
  const bool synced = durability_ == Durability::synced;
  if (synced && ::fsync(descriptor_) != 0) fail("cannot be written to disk");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("cannot be renamed into place");
  ::close(descriptor_);
  descriptor_ = -1;
  if (synced) sync_folder(folder_of(path_));
}

void AtomicFile::fail(const char* action) const {
  const int reason = errno;
  throw Error(fmt::format("{}: {}: {}", path_, action, std::strerror(reason)));
}

void write_file(const std::string& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

void write_file(const std::string& path, std::span<const uint8_t> bytes, AtomicFile::Durability durability) {
  AtomicFile file(path, durability);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

void sync_folder(const std::string& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  // Some file systems cannot sync a folder (EINVAL): nothing more can be done there.
  const bool synced = descriptor >= 0 && (::fsync(descriptor) == 0 || errno == EINVAL);
  const int reason = errno;
  if (descriptor >= 0) ::close(descriptor);
  check<Error>(synced, "{}: the folder cannot be synced: {}", folder, std::strerror(reason));
}

}  // namespace giza
