// Files of weights of any format.
#include "models/weights/weight_file.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <numeric>

#include "models/weights/caffe/caffemodel.h"
#include "models/weights/checksum.h"
#include "models/weights/detail/elements.h"
#include "models/weights/file_kind.h"
#include "models/weights/pth.h"
#include "models/weights/safetensors.h"
#include "tensor/base/check.h"
#include "tensor/base/file.h"

namespace giza::models {

const WeightTensor* WeightFile::find(std::string_view name) const {
  const auto found =
      std::find_if(tensors.begin(), tensors.end(), [&](const WeightTensor& tensor) { return tensor.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

void exchange_red_and_blue(WeightTensor* weight) {
  const std::vector<int64_t>& shape = weight->shape;
  if (shape.size() != 4 || shape[1] != 3) return;
  const auto area = static_cast<std::ptrdiff_t>(shape[2] * shape[3]);
  for (auto filter = weight->data.begin(); filter != weight->data.end(); filter += 3 * area) {
    std::swap_ranges(filter, filter + area, filter + 2 * area);
  }
}

int64_t element_size(DType dtype) {
  int64_t size = 0;
  with_element_type(dtype, [&](auto element, auto) { size = sizeof element; });
  return size;
}

const char* dtype_name(DType dtype) {
  constexpr std::array kNames = {"float32", "float16", "bfloat16", "float64", "int64", "int32", "int16",
                                 "int8",    "uint64",  "uint32",   "uint16",  "uint8", "bool"};
  return kNames[static_cast<size_t>(dtype)];
}

int64_t checked_numel(const WeightTensor& tensor, const char* writer) {
  const int64_t numel =
      std::accumulate(tensor.shape.begin(), tensor.shape.end(), int64_t{1}, std::multiplies<int64_t>());
  check(static_cast<int64_t>(tensor.count()) == numel, "{}: tensor \"{}\" holds {} numbers, its shape needs {}", writer,
        tensor.name, tensor.count(), numel);
  return numel;
}

WeightFile read_weights(const std::string& path) {
  FileKind kind = FileKind::safetensors;
  {
    const InputFile file(path, "a file of weights (.safetensors or .pth)");
    kind = file_kind(file);
    if (kind == FileKind::caffemodel) return read_caffemodel(file);
  }
  WeightFile file = kind == FileKind::safetensors ? read_safetensors(path) : read_pth(path);
  check_checksum(file, path);
  for (const WeightTensor& tensor : file.tensors) {
    const bool fits = tensor.dtype != DType::u64 || std::all_of(tensor.integers.begin(), tensor.integers.end(),
                                                                [](int64_t value) { return value >= 0; });
    check<Refusal>(fits, "{}: {} holds whole numbers of 2^63 or more, expected smaller ones", path,
                   quotable(tensor.name));
  }
  return file;
}

void write_weights(const std::string& path, const WeightFile& file) {
  const std::string extension = std::filesystem::path(path).extension().string();
  if (extension == ".pth" || extension == ".pt") return write_pth(path, file);
  check<Refusal>(
      extension == ".safetensors",
      "{}: weights are not written as \"{}\", expected a name that ends in .safetensors, .pth or .pt (or .onnx, for "
      "a whole network)",
      path, extension);
  write_safetensors(path, file);
}

}  // namespace giza::models
