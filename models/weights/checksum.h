// The checksum that giza's checkpoints carry, which tells a flipped bit.
#pragma once

#include <string>

#include "models/weights/weight_file.h"

namespace giza::models {

/// The __metadata__ key under which a checkpoint holds it.
inline constexpr const char* kChecksumKey = "giza.checksum";
/// That under which every checkpoint holds its iteration, and by which one is known.
inline constexpr const char* kCheckpointKey = "giza.iteration";

/// Of all tensors, in their order, and all metadata but the checksum itself: FNV-1a, 16 hexadecimal digits.
std::string checksum(const WeightFile& file);
/// Throws Refusal "PLACE: ..." if the file has a checksum that does not fit, or is a checkpoint without one.
void check_checksum(const WeightFile& file, const std::string& place);

}  // namespace giza::models
