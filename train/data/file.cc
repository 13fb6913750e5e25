// Whole files in memory, with limits, and files written so that nobody ever sees half of one.
#include "train/data/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "tensor/check.h"

namespace giza::train {
namespace {

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  bool close() {
    const int fd = fd_;
    fd_ = -1;
    return fd < 0 || ::close(fd) == 0;
  }

 private:
  int fd_;
};

std::vector<uint8_t> read_some(const std::string& path, size_t prefix, size_t limit) {
  // Non-blocking, or opening a pipe that nobody writes to would wait for ever.
  Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  check<Refusal>(file.get() >= 0, "{}: cannot be opened ({}); check the path", path, std::strerror(errno));
  struct stat status {};
  check<Refusal>(::fstat(file.get(), &status) == 0, "{}: cannot be examined ({})", path, std::strerror(errno));
  check<Refusal>(S_ISREG(status.st_mode), "{}: is not a regular file; give the path of a file", path);
  const auto size = static_cast<size_t>(status.st_size);
  check<Refusal>(size <= limit, "{}: has {} bytes, at most {} are accepted; is it the right file?", path, size, limit);
  std::vector<uint8_t> bytes(std::min(size, prefix));
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::read(file.get(), bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    check<Refusal>(got >= 0, "{}: cannot be read ({})", path, std::strerror(errno));
    if (got == 0) break;  // Shortened while we read.
    done += static_cast<size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

}  // namespace

std::vector<uint8_t> read_file_prefix(const std::string& path, size_t prefix) {
  return read_some(path, prefix, SIZE_MAX);
}

std::vector<uint8_t> read_file(const std::string& path, size_t limit) { return read_some(path, SIZE_MAX, limit); }

std::vector<TextLine> read_text_lines(const std::string& path) {
  const std::vector<uint8_t> bytes = read_file(path, size_t{256} << 20);
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  std::vector<TextLine> lines;
  int number = 0;
  while (!text.empty()) {
    ++number;
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    check<Refusal>(line.find('\0') == std::string_view::npos,
                   "{}:{}: holds a zero byte; expected a plain text file (UTF-8 or ASCII)", path, number);
    constexpr std::string_view kBlanks = " \t\r\v\f";
    const size_t first = line.find_first_not_of(kBlanks);
    if (first == std::string_view::npos) continue;
    line = line.substr(first, line.find_last_not_of(kBlanks) - first + 1);
    lines.push_back({number, std::string(line)});
  }
  return lines;
}

std::vector<std::string> split_fields(std::string_view line) {
  std::vector<std::string> fields;
  while (true) {
    const size_t first = line.find_first_not_of(" \t");
    if (first == std::string_view::npos) return fields;
    line.remove_prefix(first);
    const size_t end = std::min(line.find_first_of(" \t"), line.size());
    fields.emplace_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

void write_file_atomically(const std::string& path, std::span<const uint8_t> bytes) {
  // The process and a counter in the name: two writers of one path must not share a temporary file.
  static std::atomic<unsigned> counter{0};
  const std::string temporary = fmt::format("{}.tmp{}.{}", path, ::getpid(), counter++);
  Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  check<Error>(file.get() >= 0, "{}: cannot be created ({})", temporary, std::strerror(errno));
  const auto fail = [&](const char* what) {
    const int reason = errno;
    ::unlink(temporary.c_str());
    throw Error(fmt::format("{}: {} ({})", path, what, std::strerror(reason)));
  };
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t put = ::write(file.get(), bytes.data() + done, bytes.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail("cannot be written");
    done += static_cast<size_t>(put);
  }
  if (!file.close()) fail("cannot be written");
  if (std::rename(temporary.c_str(), path.c_str()) != 0) fail("cannot be put in place");
}

}  // namespace giza::train
