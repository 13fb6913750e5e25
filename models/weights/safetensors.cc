// The safetensors format: u64 length of the header, the header in JSON, the data; all little-endian.
#include "models/weights/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <numeric>

#include "models/weights/detail/elements.h"
#include "models/weights/safetensors_header.h"
#include "tensor/base/check.h"
#include "tensor/base/file.h"

static_assert(std::endian::native == std::endian::little, "files are little-endian and read without swapping");

namespace giza::models {
namespace {

constexpr uint64_t kMaxHeader = 100'000'000;  // the format's own limit
constexpr uint64_t kPrefix = 8;

/// An open file whose header is read.
struct OpenSafetensors {
  InputFile file;
  SafetensorsHeader header;
  uint64_t data_begin = 0;

  explicit OpenSafetensors(const std::string& path) : file(path, "a safetensors file") {
    check<Refusal>(file.size() >= kPrefix, "{}: {} bytes are too few for a safetensors file", path, file.size());
    uint64_t length = 0;
    file.read_at(0, &length, kPrefix);
    check<Refusal>(length <= kMaxHeader,
                   "{}: the header is {} bytes long, at most {} are allowed; is this safetensors?", path, length,
                   kMaxHeader);
    check<Refusal>(length <= file.size() - kPrefix,
                   "{}: the header is {} bytes long, but the file has {}: it is cut off", path, length, file.size());
    data_begin = kPrefix + length;
    header = parse_safetensors_header(file.read_at(kPrefix, length), file.size() - data_begin, path);
  }
};

void read_data(const InputFile& file, uint64_t begin, const TensorEntry& entry, WeightTensor* tensor) {
  const auto numel = static_cast<size_t>(entry.numel);
  switch (entry.dtype) {
    case DType::f32:
      tensor->data = read_numbers<float>(file, begin, numel, [](float v) { return v; });
      return;
    case DType::f16:
      tensor->data = read_numbers<uint16_t>(file, begin, numel, half_to_float);
      return;
    case DType::bf16:
      tensor->data = read_numbers<uint16_t>(file, begin, numel, brain_to_float);
      return;
    case DType::f64:
      tensor->data = read_numbers<double>(file, begin, numel, [](double v) { return static_cast<float>(v); });
      return;
    case DType::i64:
      tensor->integers = read_numbers<int64_t>(file, begin, numel, [](int64_t v) { return v; });
      return;
  }
}

int64_t checked_numel(const WeightTensor& tensor) {
  const int64_t numel =
      std::accumulate(tensor.shape.begin(), tensor.shape.end(), int64_t{1}, std::multiplies<int64_t>());
  const size_t held = tensor.dtype == DType::i64 ? tensor.integers.size() : tensor.data.size();
  check((tensor.dtype == DType::f32 || tensor.dtype == DType::i64) && static_cast<int64_t>(held) == numel,
        "safetensors: tensor \"{}\" holds {} numbers, its shape needs {} (of f32 or i64)", tensor.name, held, numel);
  return numel;
}

}  // namespace

WeightFile read_safetensors(const std::string& path) {
  OpenSafetensors open(path);
  WeightFile file;
  file.metadata = std::move(open.header.metadata);
  file.tensors.reserve(open.header.tensors.size());
  for (const TensorEntry& entry : open.header.tensors) {
    WeightTensor& tensor = file.tensors.emplace_back();
    tensor.name = entry.name;
    tensor.shape = entry.shape;
    tensor.dtype = entry.dtype;
    read_data(open.file, open.data_begin + entry.begin, entry, &tensor);
  }
  return file;
}

std::map<std::string, std::string> read_safetensors_metadata(const std::string& path) {
  return OpenSafetensors(path).header.metadata;
}

void write_safetensors(const std::string& path, const WeightFile& file) {
  // Eight-byte elements come first in the data, so that every element lies on a multiple of its size.
  std::vector<const WeightTensor*> order;
  for (const WeightTensor& tensor : file.tensors) order.push_back(&tensor);
  std::stable_sort(order.begin(), order.end(), [](const WeightTensor* a, const WeightTensor* b) {
    return element_size(a->dtype) > element_size(b->dtype);
  });
  std::map<std::string_view, std::array<uint64_t, 2>> offsets;
  uint64_t end = 0;
  for (const WeightTensor* tensor : order) {
    const uint64_t begin = end;
    end += static_cast<uint64_t>(checked_numel(*tensor) * element_size(tensor->dtype));
    check(offsets.emplace(tensor->name, std::array{begin, end}).second && tensor->name != "__metadata__",
          "safetensors: the name \"{}\" occurs twice or is reserved", tensor->name);
  }

  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!file.metadata.empty()) header["__metadata__"] = file.metadata;
  for (const WeightTensor& tensor : file.tensors) {
    // Not header[name]: that would search the names so far, for every tensor.
    header.get_ref<nlohmann::ordered_json::object_t&>().emplace_back(
        tensor.name,
        nlohmann::ordered_json{
            {"dtype", dtype_name(tensor.dtype)}, {"shape", tensor.shape}, {"data_offsets", offsets.at(tensor.name)}});
  }
  std::string json = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  json.resize((json.size() + 7) / 8 * 8, ' ');
  check<Error>(json.size() <= kMaxHeader, "{}: the header would be {} bytes long", path, json.size());

  OutputFile out(path);
  const uint64_t length = json.size();
  out.write(&length, sizeof length);
  out.write(json);
  for (const WeightTensor* tensor : order) {
    if (tensor->dtype == DType::i64) {
      out.write(tensor->integers.data(), tensor->integers.size() * sizeof(int64_t));
    } else {
      out.write(tensor->data.data(), tensor->data.size() * sizeof(float));
    }
  }
  out.commit();
}

}  // namespace giza::models
