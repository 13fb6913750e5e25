// The safetensors format: u64 length of the header, the header in JSON, the data; all little-endian.
#include "models/weights/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "models/weights/atomic_file.h"
#include "models/weights/elements.h"
#include "models/weights/safetensors_header.h"
#include "tensor/check.h"

static_assert(std::endian::native == std::endian::little, "files are little-endian and read without swapping");

namespace giza::models {
namespace {

constexpr uint64_t kMaxHeader = 100'000'000;  // the format's own limit
constexpr uint64_t kPrefix = 8;

/// An open file whose header is read; the stream stands at the data.
struct OpenFile {
  std::ifstream stream;
  SafetensorsHeader header;
};

OpenFile open_file(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  check<Refusal>(fs::exists(status), "{}: there is no such file, expected a safetensors file", path);
  // A pipe or a device could block or never end.
  check<Refusal>(fs::is_regular_file(status), "{}: this is not a regular file, expected a safetensors file", path);
  const uint64_t size = fs::file_size(path, error);
  OpenFile file;
  file.stream.open(path, std::ios::binary);
  check<Refusal>(!error && file.stream.good(), "{}: the file cannot be opened for reading", path);

  uint64_t length = 0;
  file.stream.read(reinterpret_cast<char*>(&length), kPrefix);
  check<Refusal>(file.stream.good(), "{}: {} bytes are too few for a safetensors file", path, size);
  check<Refusal>(length <= kMaxHeader, "{}: the header is {} bytes long, at most {} are allowed; is this safetensors?",
                 path, length, kMaxHeader);
  check<Refusal>(length <= size - kPrefix, "{}: the header is {} bytes long, but the file has {}: it is cut off", path,
                 length, size);
  std::string json(length, '\0');
  file.stream.read(json.data(), static_cast<std::streamsize>(length));
  check<Refusal>(file.stream.good(), "{}: the file cannot be read", path);
  file.header = parse_safetensors_header(json, size - kPrefix - length, path);
  return file;
}

/// Reads the elements of one type and converts each, in pieces, so that only the result is large.
template <class From, class To, class Convert>
void read_elements(std::ifstream& stream, std::vector<To>* to, int64_t numel, Convert convert) {
  to->resize(static_cast<size_t>(numel));
  constexpr int64_t kPiece = 1 << 16;
  std::vector<From> piece(static_cast<size_t>(std::min(numel, kPiece)));
  for (int64_t done = 0; done < numel && stream.good(); done += kPiece) {
    const auto count = static_cast<size_t>(std::min(kPiece, numel - done));
    stream.read(reinterpret_cast<char*>(piece.data()), static_cast<std::streamsize>(count * sizeof(From)));
    std::transform(piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(count), to->begin() + done, convert);
  }
}

void read_data(std::ifstream& stream, const TensorEntry& entry, WeightTensor* tensor) {
  switch (entry.dtype) {
    case DType::f32:
      return read_elements<float>(stream, &tensor->data, entry.numel, [](float v) { return v; });
    case DType::f16:
      return read_elements<uint16_t>(stream, &tensor->data, entry.numel, half_to_float);
    case DType::bf16:
      return read_elements<uint16_t>(stream, &tensor->data, entry.numel, brain_to_float);
    case DType::f64:
      return read_elements<double>(stream, &tensor->data, entry.numel, [](double v) { return static_cast<float>(v); });
    case DType::i64:
      return read_elements<int64_t>(stream, &tensor->integers, entry.numel, [](int64_t v) { return v; });
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
  OpenFile open = open_file(path);
  const std::streamoff data_start = open.stream.tellg();
  WeightFile file;
  file.metadata = std::move(open.header.metadata);
  file.tensors.reserve(open.header.tensors.size());
  for (const TensorEntry& entry : open.header.tensors) {
    WeightTensor& tensor = file.tensors.emplace_back();
    tensor.name = entry.name;
    tensor.shape = entry.shape;
    tensor.dtype = entry.dtype;
    open.stream.seekg(data_start + static_cast<std::streamoff>(entry.begin));
    read_data(open.stream, entry, &tensor);
    check<Refusal>(open.stream.good(), "{}: the data of \"{}\" cannot be read; copy the file again", path, entry.name);
  }
  return file;
}

std::map<std::string, std::string> read_safetensors_metadata(const std::string& path) {
  return open_file(path).header.metadata;
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

  AtomicFile out(path);
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
