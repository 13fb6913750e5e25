// Files read with limits and written whole or not at all.
#include "tensor/base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "tensor/base/check.h"

namespace giza {
namespace {

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

/// N of /dev/fd/N and its other names; -1 for other paths. Opening these anew would begin at the start of what a shell
/// has appended to, and /dev/stdout may lead to a file that others write to at the same time.
int inherited_descriptor(const std::string& path) {
  if (path == "/dev/stdout") return STDOUT_FILENO;
  if (path == "/dev/stderr") return STDERR_FILENO;
  for (const std::string_view start : {"/dev/fd/", "/proc/self/fd/"}) {
    if (!path.starts_with(start)) continue;
    int descriptor = -1;
    const char* end = path.data() + path.size();
    const auto [rest, error] = std::from_chars(path.data() + start.size(), end, descriptor);
    if (error == std::errc() && rest == end) return descriptor;
  }
  return -1;
}

}  // namespace

bool is_standard_output(const std::string& path) {
  if (inherited_descriptor(path) == STDOUT_FILENO) return true;
  struct stat file {};
  struct stat output {};
  return ::stat(path.c_str(), &file) == 0 && ::fstat(STDOUT_FILENO, &output) == 0 && !S_ISCHR(file.st_mode) &&
         file.st_dev == output.st_dev && file.st_ino == output.st_ino;
}

namespace {

/// Where links lead, be it to a file that does not exist. Throws Error for a circle of links.
std::string follow_links(std::string path) {
  for (int links = 0; links < 40; ++links) {
    std::error_code error;
    const std::filesystem::path next = std::filesystem::read_symlink(path, error);
    if (error) return path;  // no link
    path = (std::filesystem::path(folder_of(path)) / next).string();
  }
  throw Error(fmt::format("{}: leads through too many links", path));
}

constexpr std::string_view kTemporaryStart = ".giza-", kTemporaryEnd = ".tmp";
constexpr size_t kTemporaryDigits = 16;

/// A name that nobody else has, short whatever the file is called. Random rather than numbered by process: process ids
/// come again, in containers at every start.
std::string temporary_name(const std::string& folder) {
  static std::atomic<uint64_t> counter{0};
  uint64_t number = 0;
  if (::getrandom(&number, sizeof(number), GRND_NONBLOCK) != static_cast<ssize_t>(sizeof(number))) {
    number = (static_cast<uint64_t>(::getpid()) << 32) + counter++;
  }
  return fmt::format("{}/{}{:016x}{}", folder, kTemporaryStart, number, kTemporaryEnd);
}

bool is_temporary(std::string_view name) {
  return name.size() == kTemporaryStart.size() + kTemporaryDigits + kTemporaryEnd.size() &&
         name.starts_with(kTemporaryStart) && name.ends_with(kTemporaryEnd);
}

/// Removes the temporary files of killed processes, once for each folder.
void remove_abandoned(const std::string& folder) {
  static std::mutex mutex;
  static std::set<std::string> seen;
  {
    const std::lock_guard lock(mutex);
    if (!seen.insert(folder).second) return;
  }
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (!is_temporary(entry.path().filename().string())) continue;
    const std::string path = entry.path().string();
    const int descriptor =
        retried([&] { return ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC); });
    struct stat status {};
    // A link that was to be renamed cannot be opened, and nobody needs it for longer than a moment.
    const bool link = descriptor < 0 && errno == ELOOP;
    const bool mine = descriptor >= 0 && ::fstat(descriptor, &status) == 0 && status.st_uid == ::geteuid() &&
                      ::flock(descriptor, LOCK_EX | LOCK_NB) == 0;
    if (link || mine) ::unlink(path.c_str());
    if (descriptor >= 0) ::close(descriptor);
  }
}

}  // namespace

InputFile::InputFile(const std::string& path, const char* expected)
    : path_(path),
      // O_NONBLOCK: opening a pipe that nobody writes to would wait forever.
      descriptor_(retried([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); })) {
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
    const ssize_t got = retried([&] { return ::pread(descriptor_, at, bytes, static_cast<off_t>(offset)); });
    check<Refusal>(got >= 0, "{}: the file cannot be read at byte {}: {}", path_, offset, std::strerror(errno));
    check<Refusal>(got > 0, "{}: the file ends at byte {}, before the end that it had when it was opened", path_,
                   offset);
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

namespace {

/// What the KeptFiles that live have added: how often, and by which name first.
struct Kept {
  std::mutex mutex;
  std::map<std::pair<uint64_t, uint64_t>, std::pair<int, std::string>> files;
};

Kept& kept() {
  static Kept all;
  return all;
}

void check_not_kept(const std::string& path, const struct stat& status) {
  const std::lock_guard lock(kept().mutex);
  const auto found = kept().files.find({status.st_dev, status.st_ino});
  if (found == kept().files.end()) return;
  const std::string& name = found->second.second;
  throw Refusal(fmt::format("{}: is read by this command{}, and would be overwritten; give the results another place",
                            path, name == path ? "" : fmt::format(" as {}", name)));
}

}  // namespace

KeptFiles::KeptFiles(const std::vector<std::string>& paths) {
  const std::lock_guard lock(kept().mutex);
  for (const std::string& path : paths) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    added_.emplace_back(status.st_dev, status.st_ino);
    ++kept().files.try_emplace(added_.back(), 0, path).first->second.first;
  }
}

KeptFiles::~KeptFiles() {
  const std::lock_guard lock(kept().mutex);
  for (const auto& file : added_) {
    const auto found = kept().files.find(file);
    if (--found->second.first == 0) kept().files.erase(found);
  }
}

void check_not_kept(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) check_not_kept(path, status);
}

OutputFile::OutputFile(const std::string& path, Durability durability) : path_(path), durability_(durability) {
  check<Refusal>(!path.empty(), "the path of a file to write is empty");
  if (const int given = inherited_descriptor(path); given >= 0) {
    descriptor_ = ::fcntl(given, F_DUPFD_CLOEXEC, 0);
    if (descriptor_ < 0) fail("cannot be opened for writing");
    return;
  }
  target_ = follow_links(path);
  struct stat before {};
  const bool exists = ::stat(target_.c_str(), &before) == 0;
  check<Refusal>(!exists || !S_ISDIR(before.st_mode), "{}: this is a folder, expected the path of a file", path);
  if (exists && !S_ISREG(before.st_mode)) {
    descriptor_ = retried([&] { return ::open(target_.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC); });
    if (descriptor_ < 0) fail("cannot be opened for writing");
    return;
  }
  if (exists) check_not_kept(path, before);
  remove_abandoned(folder_of(target_));
  open_temporary();
  if (!exists) return;
  // As far as the system lets us: another owner needs privileges, and some file systems have no modes.
  if (::fchown(descriptor_, before.st_uid, before.st_gid) != 0) errno = 0;
  if (::fchmod(descriptor_, before.st_mode & 07777) != 0) errno = 0;
}

OutputFile::~OutputFile() {
  if (descriptor_ < 0) return;
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  ::close(descriptor_);
}

void OutputFile::open_temporary() {
  for (int attempt = 0; attempt < 100; ++attempt) {
    temporary_ = temporary_name(folder_of(target_));
    descriptor_ = retried([&] { return ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); });
    if (descriptor_ < 0 && errno == EEXIST) continue;
    if (descriptor_ < 0) fail("cannot be created");
    // The lock tells remove_abandoned() that somebody is at work. It may have come first, and removed the file.
    struct stat status {};
    const bool locked = retried([&] { return ::flock(descriptor_, LOCK_EX); }) == 0;
    if (!locked || ::fstat(descriptor_, &status) != 0 || status.st_nlink > 0) return;
    ::close(descriptor_);
  }
  fail("cannot be created");
}

void OutputFile::write(const void* data, size_t bytes) {
  const char* from = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = retried([&] { return ::write(descriptor_, from, bytes); });
    if (written < 0) fail("cannot be written");
    from += written;
    bytes -= static_cast<size_t>(written);
  }
}

void OutputFile::commit() {
  const bool synced = durability_ == Durability::synced && !temporary_.empty();
  if (synced && retried([&] { return ::fsync(descriptor_); }) != 0) fail("cannot be written to disk");
  if (!temporary_.empty() && ::rename(temporary_.c_str(), target_.c_str()) != 0) fail("cannot be renamed into place");
  // Some file systems tell of a full disk only now.
  if (::close(std::exchange(descriptor_, -1)) != 0 && errno != EINTR) fail("cannot be written");
  if (synced) sync_folder(folder_of(target_));
}

void OutputFile::fail(const char* action) const {
  const int reason = errno;
  throw Error(fmt::format("{}: {}: {}", path_, action, std::strerror(reason)));
}

void make_folder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  check<Refusal>(!error, "{}: the folder cannot be made: {}", folder, error.message());
}

void write_file(const std::string& path, std::string_view text) {
  OutputFile file(path);
  file.write(text);
  file.commit();
}

void write_file(const std::string& path, std::span<const uint8_t> bytes, OutputFile::Durability durability) {
  OutputFile file(path, durability);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

void point_link_at(const std::string& path, const std::string& name) {
  struct stat before {};
  if (::lstat(path.c_str(), &before) == 0) check_not_kept(path, before);  // a link's target stays
  const std::string folder = folder_of(path), temporary = temporary_name(folder), target = folder + "/" + name;
  // A link cannot be overwritten in place, so a new one is renamed over it.
  std::error_code error;
  std::filesystem::create_symlink(name, temporary, error);
  if (error) std::filesystem::create_hard_link(target, temporary, error);
  if (error) std::filesystem::copy_file(target, temporary, error);
  if (!error) std::filesystem::rename(temporary, path, error);
  if (error) ::unlink(temporary.c_str());
  check<Error>(!error, "{}: cannot be made to lead to {}: {}", path, name, error.message());
  // Two names of one file are no reason for rename() to do anything, so the temporary one may still be there.
  ::unlink(temporary.c_str());
  sync_folder(folder);
}

void sync_folder(const std::string& folder) {
  const int descriptor = retried([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  // Some file systems cannot sync a folder (EINVAL): nothing more can be done there.
  const bool synced = descriptor >= 0 && (retried([&] { return ::fsync(descriptor); }) == 0 || errno == EINVAL);
  const int reason = errno;
  if (descriptor >= 0) ::close(descriptor);
  check<Error>(synced, "{}: the folder cannot be synced: {}", folder, std::strerror(reason));
}

}  // namespace giza
