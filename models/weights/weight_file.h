// Named tensors as a file of weights holds them, whatever its format.
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

/// Tensors in the order of the file, and its metadata: the __metadata__ of safetensors; in a .pth that giza wrote, the
/// record ROOT/giza.json (an object of strings), which PyTorch does not look at.
struct WeightFile {
  std::vector<WeightTensor> tensors;
  std::map<std::string, std::string> metadata;

  /// The tensor of that name, or nullptr.
  const WeightTensor* find(std::string_view name) const;
};

/// Reads a file of weights of any kind that giza knows, told apart by its first bytes: safetensors, or PyTorch's .pth.
/// Files may be hostile. Throws Refusal "FILE: ..." for anything else, and for faults as the reader of the kind does.
WeightFile read_weights(const std::string& path);

/// Writes the format that the path ends in: .safetensors, .pth or .pt. Throws Refusal for another ending, and Error when
/// writing fails.
void write_weights(const std::string& path, const WeightFile& file);

}  // namespace giza::models
