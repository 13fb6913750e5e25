// Writing PyTorch's .pth files, zip form.
#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "models/weights/pth.h"
#include "models/weights/pth/zip_writer.h"
#include "tensor/base/check.h"

static_assert(std::endian::native == std::endian::little, "files are little-endian and written without swapping");

namespace giza::models {
namespace {

/// Writes the opcodes of protocol 2 that PyTorch's restricted unpickler knows.
class PickleWriter {
 public:
  const std::string& bytes() const { return bytes_; }

  void opcode(unsigned char code) { bytes_ += static_cast<char>(code); }
  void protocol() { bytes_ += "\x80\x02"; }
  void text(std::string_view text) {
    opcode('X');  // BINUNICODE
    number(static_cast<uint32_t>(text.size()));
    bytes_ += text;
  }
  void integer(int64_t value) {
    if (value >= 0 && value < 256) {
      opcode('K');  // BININT1
      bytes_ += static_cast<char>(value);
    } else if (value >= INT32_MIN && value <= INT32_MAX) {
      opcode('J');  // BININT
      number(static_cast<int32_t>(value));
    } else {
      opcode(0x8a);  // LONG1
      opcode(sizeof value);
      number(value);
    }
  }
  void tuple(const std::vector<int64_t>& values) {
    opcode('(');
    for (const int64_t value : values) integer(value);
    opcode('t');
  }
  /// The global; written once, then taken from the memo.
  void global(const std::string& module, const std::string& name) {
    const std::string key = module + "\n" + name + "\n";
    const auto [at, is_new] = memo_.try_emplace(key, static_cast<unsigned char>(memo_.size()));
    if (is_new) bytes_ += "c" + key;
    opcode(is_new ? 'q' : 'h');  // BINPUT, BINGET
    opcode(at->second);
  }
  void empty_ordered_dict() {
    global("collections", "OrderedDict");
    opcode(')');
    opcode('R');
  }

 private:
  template <class T>
  void number(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  std::string bytes_;
  std::map<std::string, unsigned char> memo_;
};

/// _rebuild_tensor_v2(storage, offset 0, shape, strides of row order, requires_grad False, hooks none)
void write_tensor(PickleWriter* pickle, const WeightTensor& tensor, size_t key, int64_t numel) {
  std::vector<int64_t> strides(tensor.shape.size(), 1);
  for (size_t axis = strides.size(); axis-- > 1;) {
    strides[axis - 1] = strides[axis] * std::max<int64_t>(tensor.shape[axis], 1);
  }
  pickle->global("torch._utils", "_rebuild_tensor_v2");
  pickle->opcode('(');
  pickle->opcode('(');
  pickle->text("storage");
  pickle->global("torch", is_integer(tensor.dtype) ? "LongStorage" : "FloatStorage");
  pickle->text(std::to_string(key));
  pickle->text("cpu");
  pickle->integer(numel);
  pickle->opcode('t');
  pickle->opcode('Q');  // BINPERSID
  pickle->integer(0);
  pickle->tuple(tensor.shape);
  pickle->tuple(strides);
  pickle->opcode(0x89);  // NEWFALSE
  pickle->empty_ordered_dict();
  pickle->opcode('t');
  pickle->opcode('R');
}

std::string pickle_of(const WeightFile& file) {
  PickleWriter pickle;
  pickle.protocol();
  pickle.empty_ordered_dict();
  std::set<std::string_view> names;
  for (size_t i = 0; i < file.tensors.size(); ++i) {
    const WeightTensor& tensor = file.tensors[i];
    check(names.insert(tensor.name).second, "write_pth: the name \"{}\" occurs twice", tensor.name);
    pickle.text(tensor.name);
    write_tensor(&pickle, tensor, i, checked_numel(tensor, "write_pth"));
    pickle.opcode('s');  // SETITEM
  }
  pickle.opcode('.');
  return pickle.bytes();
}

std::string json_of(const std::map<std::string, std::string>& metadata) {
  return nlohmann::json(metadata).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

void write_pth(const std::string& path, const WeightFile& file) {
  // The order of torch.save: the pickle, the byte order, the storages, the version of the archive.
  const std::string root = "archive/";
  const std::string metadata = file.metadata.empty() ? "" : json_of(file.metadata);
  check<Refusal>(metadata.size() <= kMaxPthMetadata,
                 "{}: the metadata take {} bytes, and a .pth of giza holds at most {}; write .safetensors", path,
                 metadata.size(), kMaxPthMetadata);
  const std::string pickle = pickle_of(file);
  ZipWriter zip(path);
  zip.add(root + "data.pkl", pickle);
  zip.add(root + "byteorder", "little");
  for (size_t i = 0; i < file.tensors.size(); ++i) {
    const WeightTensor& tensor = file.tensors[i];
    const std::string name = root + "data/" + std::to_string(i);
    if (is_integer(tensor.dtype)) {
      zip.add(name, tensor.integers.data(), tensor.integers.size() * sizeof(int64_t));
    } else {
      zip.add(name, tensor.data.data(), tensor.data.size() * sizeof(float));
    }
  }
  zip.add(root + "version", "3\n");
  if (!metadata.empty()) zip.add(root + "giza.json", metadata);
  zip.finish();
}

}  // namespace giza::models
