// What one picture of a data set and its label file hold.
#include "train/check/scan.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "tensor/base/check.h"
#include "tensor/base/hash.h"
#include "tensor/base/text.h"

namespace giza::train {
namespace {

using Kind = FileFault::Kind;

uint64_t hash_of(const std::vector<uint8_t>& bytes) {
  Fnv1a hash;
  hash.add_bytes(bytes);
  return hash.value();
}

void scan_pixels(const Image& image, ImageScan& scan) {
  bool grey = true;
  for (size_t i = 0; i < image.rgb.size(); i += 3) {
    const uint8_t* p = &image.rgb[i];
    grey = grey && p[0] == p[1] && p[1] == p[2];
    for (size_t c = 0; c < 3; ++c) {
      scan.sum[c] += p[c];
      scan.squares[c] += uint64_t{p[c]} * p[c];
    }
  }
  scan.grey = grey;
}

void count_values(const LabelMap& labels, LabelScan& scan) {
  for (size_t i = 0; i < labels.index.size(); ++i) {
    const uint8_t value = labels.index[i];
    if (scan.pixels[value]++ == 0) scan.first[value] = static_cast<int64_t>(i);
  }
  scan.read = true;
}

/// Counts the colours of a picture; those that `known` has a value for as that value, if given.
void count_colors(const Image& image, const LabelColors* known, LabelScan& scan) {
  Color last{};
  PlacedColor* place = nullptr;
  int value = -1;
  const size_t pixels = image.rgb.size() / 3;
  for (size_t i = 0; i < pixels; ++i) {
    const Color color = {image.rgb[3 * i], image.rgb[3 * i + 1], image.rgb[3 * i + 2]};
    if (i == 0 || color != last) {
      last = color;
      value = known != nullptr ? known->value(color) : -1;
      if (value < 0) {
        if (scan.colors.size() >= kMaxColors && !scan.colors.contains(color)) {
          scan.too_many_colors = true;
          scan.colors.clear();
          return;
        }
        const auto width = static_cast<size_t>(image.width);
        place =
            &scan.colors.try_emplace(color, PlacedColor{0, static_cast<int>(i % width), static_cast<int>(i / width)})
                 .first->second;
      }
    }
    if (value < 0) {
      ++place->pixels;
    } else if (scan.pixels[static_cast<size_t>(value)]++ == 0) {
      scan.first[static_cast<size_t>(value)] = static_cast<int64_t>(i);
    }
  }
  scan.read = known != nullptr;
}

/// Runs body; what it throws for the file becomes a fault.
template <class Body>
void guarded(const std::string& path, FileScan& scan, Body&& body) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    scan.faults.push_back({Kind::missing, fmt::format("{}: {}", path, std::strerror(errno))});
    return;
  }
  try {
    body();
  } catch (const Error& error) {
    scan.faults.push_back({Kind::unreadable, error.what()});
  } catch (const std::bad_alloc&) {
    scan.faults.push_back({Kind::unreadable, path + ": there is not enough memory to read it"});
  }
}

void scan_image(const std::string& path, ImageScan& scan) {
  const std::vector<uint8_t> bytes = read_picture_file(path);
  scan.hash = hash_of(bytes);
  const Image image = decode_image(path, bytes);
  scan_pixels(image, scan);
  scan.width = image.width;
  scan.height = image.height;
  scan.orientation = image.orientation;
}

void scan_label(const std::string& path, const LabelColors* colors, FileScan& result) {
  LabelScan& scan = result.label;
  const std::vector<uint8_t> bytes = read_picture_file(path);
  if (!is_png(bytes)) {
    decode_labels(path, bytes);  // throws the reason
    return;
  }
  scan.kind = png_kind(path, bytes);
  if (colors != nullptr) check_color_depth(path, *colors);
  const bool in_colors = scan.kind.type == PngKind::Type::rgb || scan.kind.alpha;
  check<Refusal>(
      !in_colors || scan.kind.bits <= 8,
      "{}: holds colours of {} bits for each value, expected class indices in one channel, or masks in colours "
      "of 8 bits with DATA.label_colors; save it so",
      path, scan.kind.bits);
  if (colors == nullptr && !in_colors) {
    const LabelMap labels = decode_png_labels(path, bytes);
    count_values(labels, scan);
    scan.width = labels.width;
    scan.height = labels.height;
    return;
  }
  const Image image = decode_png(path, bytes);
  count_colors(image, colors, scan);
  scan.width = image.width;
  scan.height = image.height;
  if (colors == nullptr) {
    result.faults.push_back({Kind::color, fmt::format("{}: holds colours ({}), not class indices", path,
                                                      scan.kind.type == PngKind::Type::rgb ? "RGB" : "transparency")});
  } else if (scan.too_many_colors || !scan.colors.empty()) {
    scan.read = false;  // what is known of it is half the truth
    result.faults.push_back(
        {Kind::color, scan.too_many_colors
                          ? fmt::format("{}: holds more than {} other colours: a picture, not labels", path, kMaxColors)
                          : fmt::format("{}: holds {} that DATA.label_colors lacks", path,
                                        counted(static_cast<int64_t>(scan.colors.size()), "colour"))});
  }
}

}  // namespace

FileScan scan_entry(const ListEntry& entry, const LabelColors* colors) {
  FileScan scan;
  guarded(entry.image, scan, [&] { scan_image(entry.image, scan.image); });
  if (entry.label.empty()) return scan;
  guarded(entry.label, scan, [&] { scan_label(entry.label, colors, scan); });
  const bool both = scan.image.width > 0 && scan.label.width > 0;
  if (both && (scan.image.width != scan.label.width || scan.image.height != scan.label.height)) {
    scan.faults.push_back({Kind::size, size_mismatch(entry, {scan.image.width, scan.image.height},
                                                     {scan.label.width, scan.label.height}, scan.image.orientation)});
  }
  return scan;
}

int64_t scan_bytes(const ListEntry& entry) {
  int64_t most = 0;
  for (const std::string* path : {&entry.image, &entry.label}) {
    if (path->empty()) continue;
    struct stat status {};
    if (::stat(path->c_str(), &status) != 0) continue;
    int64_t bytes = status.st_size;
    try {
      const auto [width, height] = read_image_size(*path);
      bytes += int64_t{4} * width * height;  // RGB, and what the decoder needs
    } catch (const Error&) {
      // Reading will tell.
    }
    most = std::max(most, bytes);
  }
  return most;
}

}  // namespace giza::train
