// What the fuzz targets share: a fuzzer's bytes as a file that a reader can open by name, and what every refusal must
// be.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace giza {

/// Aborts unless a refusal's text is one line of bounded length.
inline void check_one_line(std::string_view text) {
  if (text.find('\n') != std::string_view::npos || text.size() > 2000) std::abort();
}

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

  /// Aborts unless a refusal's text is one line that begins with the file's name, or that and a line's number.
  void check_refusal(std::string_view text) const {
    if (!text.starts_with(path_ + ":")) std::abort();
    check_one_line(text);
  }

 private:
  int descriptor_;
  std::string path_;
};

}  // namespace giza
