// What a file is that is no picture for giza.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace giza::train {

/// How much of a file's beginning foreign_format wants to see.
inline constexpr size_t kFormatBytes = 64;
/// "a WebP picture", "an HTML page", ... by the beginning of a file that is neither JPEG nor PNG; what it is not where it
/// is not known.
std::string foreign_format(std::span<const uint8_t> start);

}  // namespace giza::train
