// The stream form of .pth, which PyTorch wrote before 1.6.
#pragma once

#include <string_view>

#include "models/weights/weight_file.h"
#include "tensor/base/file.h"

namespace giza::models {

/// Whether a file that begins so is a stream: the magic number stands in its first pickle.
bool is_pth_stream(std::string_view head);

/// Pickles of a magic number, a version, facts of the machine, the object, and the keys of its storages, then per
/// storage its number of elements and their bytes. Throws Refusal "FILE: ...".
WeightFile read_pth_stream(const InputFile& file);

}  // namespace giza::models
