// PyTorch's .pth files: a state_dict or checkpoint by torch.save, read without Python (docs/weights.md).
#pragma once

#include <string>
#include <string_view>

#include "models/weights/weight_file.h"

namespace giza::models {

/// Whether a file that begins so may be a .pth: a zip archive (since PyTorch 1.6) or a stream of pickles (before).
bool is_pth(std::string_view first_bytes);

/// Reads either form: a state_dict, or one under "state_dict", "model" or "model_state_dict" with anything harmless
/// beside it. Floats, halves, bfloat16 and doubles become float; int64 stays. Views of any strides and shared storages
/// become dense tensors of their own. Names are kept as they are, "module." included.
/// The file may be hostile: no code is run, names outside an allow-list are refused, and time and memory are bounded by a
/// small multiple of the file's size. Throws Refusal "FILE: ...".
WeightFile read_pth(const std::string& path);

/// Writes the zip form, an OrderedDict that torch.load(weights_only=True) reads: floats as float32, integers as int64,
/// each storage at a multiple of 64 bytes, the metadata in a record of its own that PyTorch passes over. The same tensors
/// give the same bytes. Through a temporary file that is synced and renamed. Throws Error when writing fails.
void write_pth(const std::string& path, const WeightFile& file);

}  // namespace giza::models
