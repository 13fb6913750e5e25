// The folder of a run, held by one process at a time.
#include "train/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "tensor/base/check.h"
#include "tensor/base/file.h"

namespace giza::train {

RunFolder::RunFolder(const std::string& path, const char* setting, bool holds) : path_(path) {
  if (!holds) return;
  std::error_code error;
  for (std::filesystem::path missing = path_; !missing.empty() && !std::filesystem::exists(missing, error);
       missing = missing.parent_path()) {
    made_.push_back(missing.string());
  }
  std::filesystem::create_directories(path_, error);
  check<Refusal>(!error, "{}: the run folder cannot be made: {}; set {} to a folder that can", path_, error.message(),
                 setting);
  check_files(setting);
  descriptor_ = retried([&] { return ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  check<Refusal>(descriptor_ >= 0, "{}: the run folder cannot be opened: {}; set {} to another one", path_,
                 std::strerror(errno), setting);
  int reason = lock();
  if (reason != 0 && reason != EWOULDBLOCK) {
    ::close(descriptor_);
    const std::string name = file(".lock");
    descriptor_ = retried([&] { return ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644); });
    check<Refusal>(descriptor_ >= 0, "{}: cannot be opened: {}; the run folder must be writable", name,
                   std::strerror(errno));
    reason = lock();
  }
  if (reason == 0) return;
  ::close(descriptor_);
  check<Refusal>(reason != EWOULDBLOCK, "{}: another run uses this folder; wait for it, or set {} to another folder",
                 path_, setting);
  throw Refusal(fmt::format("{}: cannot be locked: {}", path_, std::strerror(reason)));
}

void RunFolder::check_files(const char* setting) const {
  for (const char* name : {kLogFile, kConfigFile, kReportFile, "last.safetensors"}) {
    std::error_code error;
    const std::filesystem::file_status status = std::filesystem::status(file(name), error);
    check<Refusal>(status.type() == std::filesystem::file_type::not_found || std::filesystem::is_regular_file(status),
                   "{}: is no regular file, and the run writes one of that name; remove it, or set {} to another "
                   "folder",
                   file(name), setting);
    check_not_kept(file(name));
  }
}

int RunFolder::lock() const {
  return retried([&] { return ::flock(descriptor_, LOCK_EX | LOCK_NB); }) == 0 ? 0 : errno;
}

RunFolder::~RunFolder() {
  if (descriptor_ >= 0) ::close(descriptor_);
  std::error_code not_empty;
  for (const std::string& folder : made_) {
    std::filesystem::remove(folder, not_empty);
    if (not_empty) return;
  }
}

}  // namespace giza::train
