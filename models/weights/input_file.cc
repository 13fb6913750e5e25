// Reading a file that may be hostile: bounded positional reads, never mapped.
#include "models/weights/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "tensor/check.h"

namespace giza::models {

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

std::string quotable(std::string_view text) {
  constexpr size_t kLongest = 80;
  std::string result(text.substr(0, kLongest));
  std::replace_if(
      result.begin(), result.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return text.size() > kLongest ? result + "..." : result;
}

}  // namespace giza::models
