// A fuzzer's bytes as a file that a reader can open by name.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace giza {

/// A file in memory alone, made anew for each input.
class FuzzFile {
 public:
  FuzzFile(const uint8_t* data, size_t size) : descriptor_(memfd_create("fuzz", MFD_CLOEXEC)) {
    if (descriptor_ < 0 || write(descriptor_, data, size) != static_cast<ssize_t>(size)) std::abort();
    path_ = "/proc/self/fd/" + std::to_string(descriptor_);
  }
  ~FuzzFile() { close(descriptor_); }
  FuzzFile(const FuzzFile&) = delete;
  FuzzFile& operator=(const FuzzFile&) = delete;

  const std::string& path() const { return path_; }

  /// What every refusal must be: one line that begins with the file's name. Aborts otherwise.
  void check_refusal(std::string_view text) const {
    if (!text.starts_with(path_ + ": ") || text.find('\n') != std::string_view::npos || text.size() > 2000)
      std::abort();
  }

 private:
  int descriptor_;
  std::string path_;
};

}  // namespace giza
