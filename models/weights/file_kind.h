// What a file is by its first bytes: one of the formats of weights, or something else that ends up under their names.
#pragma once

#include "tensor/base/file.h"

namespace giza::models {

enum class FileKind {
  safetensors,
  pth_zip,     ///< since PyTorch 1.6
  pth_stream,  ///< before
  caffemodel
};

/// Throws Refusal "FILE: ..." for a file that begins as none of them, and says what it is where that can be told: a web
/// page, a Git LFS pointer, an archive, a file of another framework, a plain pickle, text, zeros, nothing at all.
FileKind file_kind(const InputFile& file);

}  // namespace giza::models
