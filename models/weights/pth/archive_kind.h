// What a zip archive is by the names of its records.
#pragma once

#include <span>
#include <string>

#include "models/weights/pth/zip_reader.h"

namespace giza::models {

/// Throws Refusal "PATH: ..." unless torch.save may have written an archive with these records, and says what else it
/// is where that can be told: TorchScript, an exported program, Keras, NumPy, a zipped file of weights.
void check_archive_kind(std::span<const ZipRecord> records, const std::string& path);

}  // namespace giza::models
