// The folder of a run, held by one process at a time.
#include "train/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "tensor/base/check.h"

namespace giza::train {

RunFolder::RunFolder(const std::string& path) : path_(path) {
  std::error_code error;
  std::filesystem::create_directories(path_, error);
  check<Refusal>(!error, "{}: the run folder cannot be made: {}; set TRAIN.save_path to a folder that can", path_,
                 error.message());
  const std::string lock = file(".lock");
  descriptor_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  check<Refusal>(descriptor_ >= 0, "{}: cannot be opened: {}; the run folder must be writable", lock,
                 std::strerror(errno));
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
  const int reason = errno;
  ::close(descriptor_);
  descriptor_ = -1;
  check<Refusal>(reason != EWOULDBLOCK,
                 "{}: another run uses this folder; wait for it, or set TRAIN.save_path to another folder", path_);
  throw Refusal(fmt::format("{}: cannot be locked: {}", lock, std::strerror(reason)));
}

RunFolder::~RunFolder() { ::close(descriptor_); }

}  // namespace giza::train
