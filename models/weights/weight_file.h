// Named tensors as a file of weights holds them, whatever its format.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace giza::models {

/// Element types of a file. In memory there are two: float, and int64 for whole numbers and truth values. Those two are
/// written, too, and halves where they are asked for.
enum class DType { f32, f16, bf16, f64, i64, i32, i16, i8, u64, u32, u16, u8, boolean };
inline bool is_integer(DType dtype) { return dtype >= DType::i64; }
/// What a tensor of this type is held as: f32 or i64.
inline DType held_type(DType dtype) { return is_integer(dtype) ? DType::i64 : DType::f32; }
/// Bytes of an element in a file.
int64_t element_size(DType dtype);
/// "float32", "int64", "bool", ...: PyTorch's names.
const char* dtype_name(DType dtype);

/// A tensor as a file holds it: dense, outermost first, weights in PyTorch's order [K,C,R,S].
struct WeightTensor {
  std::string name;
  std::vector<int64_t> shape;     ///< empty for a scalar
  DType dtype = DType::f32;       ///< in the file
  std::vector<float> data;        ///< the numbers; empty for integers
  std::vector<int64_t> integers;  ///< the numbers of an integer tensor

  size_t count() const { return is_integer(dtype) ? integers.size() : data.size(); }
};
/// The product of the shape. Throws ShapeError "WRITER: ..." unless so many numbers are held.
int64_t checked_numel(const WeightTensor& tensor, const char* writer);

/// BGR to RGB, or back: of a first convolution [K,3,R,S] the first input and the last are exchanged. Other shapes stay,
/// to be refused at loading.
void exchange_red_and_blue(WeightTensor* weight);

/// Tensors in the order of the file, and its metadata: the __metadata__ of safetensors; in a .pth that giza wrote, the
/// record ROOT/giza.json (an object of strings), which PyTorch does not look at.
struct WeightFile {
  std::vector<WeightTensor> tensors;
  std::map<std::string, std::string> metadata;
  /// What was left out or taken off when the file was read, each fit to follow "FILE: ". For a person to see.
  std::vector<std::string> notes = {};

  /// The tensor of that name, or nullptr.
  const WeightTensor* find(std::string_view name) const;
};

/// What all tensors of a file together may take in memory, whatever its size: a terabyte of zeros takes no room on a
/// disk.
inline constexpr uint64_t kMaxWeightBytes = uint64_t{8} << 30;
/// And for a file of this size, 4 times that and 1 MiB: views repeated by a stride of 0 could be of any size otherwise.
constexpr uint64_t most_bytes_in_memory(uint64_t file_bytes) {
  return 4 * std::min(file_bytes, kMaxWeightBytes) + (uint64_t{1} << 20);
}

/// Reads a file of weights of any kind that giza knows, told apart by its first bytes: safetensors, PyTorch's .pth, or
/// Caffe's .caffemodel.
/// A checksum that the file carries is compared (checksum.h). Files may be hostile. Throws Refusal "FILE: ..." for
/// anything else, saying what it is where that can be told (file_kind.h), and for faults as the reader of the kind
/// does.
WeightFile read_weights(const std::string& path);

/// Writes the format that the path ends in: .safetensors, .pth or .pt. Throws Refusal for another ending, and Error
/// when writing fails.
void write_weights(const std::string& path, const WeightFile& file);

}  // namespace giza::models
