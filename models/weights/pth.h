// PyTorch's .pth files: a state_dict or checkpoint by torch.save, read without Python (docs/weights.md).
#pragma once

#include <cstdint>
#include <string>

#include "models/weights/weight_file.h"

namespace giza::models {

/// Bytes of metadata that a .pth of ours may hold.
inline constexpr uint64_t kMaxPthMetadata = uint64_t{1} << 20;

/// Reads either form: a state_dict, or one under "state_dict", "model" or another key, with anything beside it. Floats,
/// halves, bfloat16 and doubles become float, whole numbers int64. Views of any strides and shared storages become
/// dense tensors of their own. Names are kept as they are, "module." included; notes say what was left out. The file
/// may be hostile: no code is run, what names outside an allow-list make is opaque and never becomes a tensor, and time
/// and memory are bounded by a small multiple of the file's size. Throws Refusal "FILE: ...".
WeightFile read_pth(const std::string& path);

/// Writes the zip form, an OrderedDict that torch.load(weights_only=True) reads: floats as float32, integers as int64,
/// each storage at a multiple of 64 bytes, the metadata in a record of its own that PyTorch passes over. The same
/// tensors give the same bytes. Through a temporary file that is synced and renamed. Throws Refusal for metadata of
/// more than kMaxPthMetadata, Error when writing fails.
void write_pth(const std::string& path, const WeightFile& file);

}  // namespace giza::models
