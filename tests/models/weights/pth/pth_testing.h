// Pickles and .pth files put together by hand, for the tests of their readers.
#pragma once

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "models/weights/pth/zip_writer.h"

namespace giza::models {

template <class T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

/// Opcodes of protocol 2 for one value each.
namespace pickled {

inline std::string text(const std::string& value) { return "X" + raw(static_cast<uint32_t>(value.size())) + value; }
inline std::string integer(int64_t value) { return std::string("\x8a\x08", 2) + raw(value); }
inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string tuple(const std::vector<int64_t>& values) {
  std::string result = "(";
  for (const int64_t value : values) result += integer(value);
  return result + "t";
}
inline std::string ordered_dict() { return global("collections", "OrderedDict") + ")R"; }
/// As the zip form names a storage; `view` is the sixth field of the stream form.
inline std::string storage(const std::string& type, const std::string& key, int64_t numel,
                           const std::string& view = "") {
  return "(" + text("storage") + global("torch", type) + text(key) + text("cpu") + integer(numel) + view + "tQ";
}
inline std::string tensor(const std::string& storage, int64_t offset, const std::vector<int64_t>& shape,
                          const std::vector<int64_t>& strides) {
  return global("torch._utils", "_rebuild_tensor_v2") + "(" + storage + integer(offset) + tuple(shape) +
         tuple(strides) + "\x89" + ordered_dict() + "tR";
}
using Items = std::vector<std::pair<std::string, std::string>>;
/// A dict of texts to values.
inline std::string dict(const Items& items) {
  std::string result = "}(";
  for (const auto& [name, value] : items) result += text(name) + value;
  return result + "u";
}
/// The value as a whole pickle.
inline std::string whole(const std::string& value) { return "\x80\x02" + value + "."; }

}  // namespace pickled

/// Writes a .pth of the zip form with these storages, "0" and on.
inline void write_pth_zip(const std::string& path, const std::string& pickle,
                          const std::vector<std::string>& storages) {
  ZipWriter zip(path);
  zip.add("any name/data.pkl", pickle);
  for (size_t i = 0; i < storages.size(); ++i) zip.add("any name/data/" + std::to_string(i), storages[i]);
  zip.finish();
}

/// What a stream begins with.
inline std::string stream_start() {
  return pickled::whole(std::string("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 12)) +
         pickled::whole(pickled::integer(1001)) + pickled::whole(pickled::dict({{"little_endian", "\x88"}}));
}

}  // namespace giza::models
