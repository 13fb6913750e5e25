// The safetensors format: u64 length of the header, the header in JSON, the data; all little-endian.
#include "models/weights/safetensors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "models/weights/detail/elements.h"
#include "models/weights/file_kind.h"
#include "models/weights/safetensors_header.h"
#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/base/text.h"

static_assert(std::endian::native == std::endian::little, "files are little-endian and read without swapping");

namespace giza::models {
namespace {

constexpr uint64_t kPrefix = 8;

/// An open file whose header is read.
struct OpenSafetensors {
  InputFile file;
  SafetensorsHeader header;
  uint64_t data_begin = 0;

  explicit OpenSafetensors(const std::string& path) : file(path, "a safetensors file") {
    check<Refusal>(file_kind(file) == FileKind::safetensors,
                   "{}: this is a .pth file or a .caffemodel, expected a safetensors file", path);
    uint64_t length = 0;
    file.read_at(0, &length, kPrefix);
    check<Refusal>(length <= file.size() - kPrefix,
                   "{}: the header is {} bytes long, but the file has {}: it is cut off", path, length, file.size());
    data_begin = kPrefix + length;
    header = parse_safetensors_header(file.read_at(kPrefix, length), file.size() - data_begin, path);
  }
};

void read_data(const InputFile& file, uint64_t begin, const TensorEntry& entry, WeightTensor* tensor) {
  const auto numel = static_cast<size_t>(entry.numel);
  with_element_type(entry.dtype, [&](auto element, auto convert) {
    auto numbers = read_numbers<decltype(element)>(file, begin, numel, convert);
    if constexpr (std::is_same_v<decltype(numbers), std::vector<float>>) {
      tensor->data = std::move(numbers);
    } else {
      tensor->integers = std::move(numbers);
    }
  });
}

/// What a tensor is written as.
DType written_type(const WeightTensor& tensor, DType floats) { return is_integer(tensor.dtype) ? DType::i64 : floats; }

void write_halves(const WeightTensor& tensor, const std::string& path, OutputFile* out) {
  std::vector<uint16_t> halves;
  halves.reserve(tensor.data.size());
  for (const float value : tensor.data) {
    halves.push_back(float_to_half(value));
    check<Refusal>(!std::isfinite(value) || std::isfinite(half_to_float(halves.back())),
                   "{}: tensor \"{}\" has {}, more than half precision holds (65504)", path, quotable(tensor.name),
                   value);
  }
  out->write(halves.data(), halves.size() * sizeof(uint16_t));
}

/// Before any of it is allocated: narrow integers grow eightfold.
void check_memory(const SafetensorsHeader& header, uint64_t file_bytes, const std::string& path) {
  uint64_t total = 0;
  for (const TensorEntry& entry : header.tensors) {
    total += static_cast<uint64_t>(entry.numel * element_size(held_type(entry.dtype)));
    check<Refusal>(total <= most_bytes_in_memory(file_bytes) && total <= kMaxWeightBytes,
                   "{}: tensor \"{}\" and those before it would take {} bytes in memory, more than {} or 4 times the "
                   "file; are these weights?",
                   path, quotable(entry.name), total, kMaxWeightBytes);
  }
}

}  // namespace

WeightFile read_safetensors(const std::string& path) {
  OpenSafetensors open(path);
  check_memory(open.header, open.file.size(), path);
  WeightFile file;
  file.metadata = std::move(open.header.metadata);
  file.notes = std::move(open.header.notes);
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

void write_safetensors(const std::string& path, const WeightFile& file, DType floats) {
  check(floats == DType::f32 || floats == DType::f16, "safetensors: writes float32 and half, not {}",
        dtype_name(floats));
  // Eight-byte elements come first in the data, so that every element lies on a multiple of its size.
  std::vector<const WeightTensor*> order;
  for (const WeightTensor& tensor : file.tensors) order.push_back(&tensor);
  std::stable_sort(order.begin(), order.end(), [](const WeightTensor* a, const WeightTensor* b) {
    return is_integer(a->dtype) && !is_integer(b->dtype);
  });
  std::map<std::string_view, std::array<uint64_t, 2>> offsets;
  uint64_t end = 0;
  for (const WeightTensor* tensor : order) {
    const uint64_t begin = end;
    end += static_cast<uint64_t>(checked_numel(*tensor, "safetensors") * element_size(written_type(*tensor, floats)));
    check(offsets.emplace(tensor->name, std::array{begin, end}).second && tensor->name != "__metadata__",
          "safetensors: the name \"{}\" occurs twice or is reserved", tensor->name);
  }

  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!file.metadata.empty()) header["__metadata__"] = file.metadata;
  for (const WeightTensor& tensor : file.tensors) {
    // Not header[name]: that would search the names so far, for every tensor.
    header.get_ref<nlohmann::ordered_json::object_t&>().emplace_back(
        tensor.name, nlohmann::ordered_json{{"dtype", is_integer(tensor.dtype) ? "I64"
                                                      : floats == DType::f16   ? "F16"
                                                                               : "F32"},
                                            {"shape", tensor.shape},
                                            {"data_offsets", offsets.at(tensor.name)}});
  }
  std::string json = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  json.resize((json.size() + 7) / 8 * 8, ' ');
  check<Error>(json.size() <= kMaxSafetensorsHeader, "{}: the header would be {} bytes long", path, json.size());

  OutputFile out(path);
  const uint64_t length = json.size();
  out.write(&length, sizeof length);
  out.write(json);
  for (const WeightTensor* tensor : order) {
    if (is_integer(tensor->dtype)) {
      out.write(tensor->integers.data(), tensor->integers.size() * sizeof(int64_t));
    } else if (floats == DType::f16) {
      write_halves(*tensor, path, &out);
    } else {
      out.write(tensor->data.data(), tensor->data.size() * sizeof(float));
    }
  }
  out.commit();
}

}  // namespace giza::models
