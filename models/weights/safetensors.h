// The safetensors format: named tensors in one file (https://github.com/huggingface/safetensors).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace giza::models {

/// Element types of a file. All but i64 are held as float in memory; only f32 and i64 are written.
enum class DType { f32, f16, bf16, f64, i64 };

/// A tensor as a file holds it: dense, outermost first, weights in PyTorch's order [K,C,R,S].
struct WeightTensor {
  std::string name;
  std::vector<int64_t> shape;     ///< empty for a scalar
  DType dtype = DType::f32;       ///< in the file
  std::vector<float> data;        ///< the numbers; empty for i64
  std::vector<int64_t> integers;  ///< the numbers of an i64 tensor
};

/// Tensors in the order of the file's header, and its __metadata__.
struct WeightFile {
  std::vector<WeightTensor> tensors;
  std::map<std::string, std::string> metadata;

  /// The tensor of that name, or nullptr.
  const WeightTensor* find(std::string_view name) const;
};

/// Reads a file, which may be hostile: sizes are checked against the file's before anything is allocated.
/// Throws Refusal "FILE: ..." unless it is a whole and valid safetensors file with element types of DType, at most
/// eight axes a tensor, and data without holes or overlaps.
WeightFile read_safetensors(const std::string& path);

/// Reads the __metadata__ alone. Throws as above for a faulty header or a file shorter or longer than it says.
std::map<std::string, std::string> read_safetensors_metadata(const std::string& path);

/// Writes through a temporary file in the same folder, synced and renamed: a kill leaves the old file or the new one.
/// Throws Error when writing fails.
void write_safetensors(const std::string& path, const WeightFile& file);

}  // namespace giza::models
