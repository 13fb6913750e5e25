// Writing a file whole or not at all.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace giza::models {

/// Writes to a temporary file beside `path`; commit() syncs it, renames it to `path` and syncs the folder. A kill at any
/// moment leaves the old file or the new one. Throws Error "FILE: ..." when writing fails, a full disk included.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  /// Removes the temporary file unless commit() was called.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void commit();

 private:
  [[noreturn]] void fail(const char* action) const;
  std::string path_, temporary_;
  int descriptor_ = -1;
};

/// All of `text` as the file `path`, as above.
void write_text_file(const std::string& path, std::string_view text);
/// Makes the links and names of a folder last through a crash. Throws Error.
void sync_folder(const std::string& folder);

}  // namespace giza::models
