// The safetensors format: named tensors in one file (https://github.com/huggingface/safetensors).
#pragma once

#include <map>
#include <string>

#include "models/weights/weight_file.h"

namespace giza::models {

/// Reads a file, which may be hostile: sizes are checked against the file's before anything is allocated.
/// Throws Refusal "FILE: ..." unless it is a whole and valid safetensors file with element types of DType, at most
/// eight axes a tensor, and data without holes or overlaps.
WeightFile read_safetensors(const std::string& path);

/// Reads the __metadata__ alone. Throws as above for a faulty header or a file shorter or longer than it says.
std::map<std::string, std::string> read_safetensors_metadata(const std::string& path);

/// Writes through a temporary file in the same folder, synced and renamed: a kill leaves the old file or the new one.
/// `floats` is f32 or f16, to which the numbers are rounded; whole numbers are written as I64. Throws Error when
/// writing fails, and Refusal for a number that is too large for a half.
void write_safetensors(const std::string& path, const WeightFile& file, DType floats = DType::f32);

}  // namespace giza::models
