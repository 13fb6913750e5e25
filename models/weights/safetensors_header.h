// The JSON header of a safetensors file, parsed and checked.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "models/weights/safetensors.h"

namespace giza::models {

/// One tensor of a header: its place in the data, which begins after the header.
struct TensorEntry {
  std::string name;
  DType dtype = DType::f32;
  std::vector<int64_t> shape;
  int64_t numel = 0;
  uint64_t begin = 0, end = 0;  ///< bytes
};

struct SafetensorsHeader {
  std::vector<TensorEntry> tensors;  ///< in the order of the JSON
  std::map<std::string, std::string> metadata;
  std::vector<std::string> notes;  ///< what was passed over, as WeightFile::notes
};

/// The format's own limit of the header's length.
inline constexpr uint64_t kMaxSafetensorsHeader = 100'000'000;

/// Parses without recursion and without building a tree: memory is bounded by a small multiple of the text.
/// `data_bytes` is what the file holds after the header, all of which the tensors must cover once. Throws Refusal
/// "PLACE: ...".
SafetensorsHeader parse_safetensors_header(std::string_view json, uint64_t data_bytes, const std::string& place);

}  // namespace giza::models
