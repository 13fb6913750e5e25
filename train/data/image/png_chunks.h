// What the chunks around the pixels of a PNG file say.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

namespace giza::train {

struct PngChunks {
  /// Of the first eXIf chunk that is sound, before or after the pixels; see exif.h.
  std::optional<int> orientation;
  /// An animation of several frames (APNG).
  bool animated = false;
  /// The animation's first frame is the picture itself, as it stands.
  bool begins_with_picture = false;
};

/// Copies bytes of a file from an offset on; false where it does not have so many.
using ReadAt = std::function<bool(uint64_t offset, std::span<uint8_t> to)>;

/// Walks along the chunks as far as the file goes, looking at few of them.
PngChunks read_png_chunks(const ReadAt& read_at);
/// The same for a file in memory.
PngChunks read_png_chunks(std::span<const uint8_t> bytes);

}  // namespace giza::train
