// What a file is that is no picture for giza.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace giza::train {

/// How much of a file's beginning foreign_format wants to see.
inline constexpr size_t kFormatBytes = 64;
/// What a file is that is neither JPEG nor PNG, or what it is not where that is not known; and what to do.
struct ForeignFormat {
  std::string name;    ///< "a WebP picture", "an HTML page"
  const char* remedy;  ///< "convert it"
};
/// By the beginning of the file.
ForeignFormat foreign_format(std::span<const uint8_t> start);

}  // namespace giza::train
