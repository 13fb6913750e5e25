// Pictures and label maps in memory, and their files.
#include "train/data/image/image.h"

#include <algorithm>
#include <cmath>

#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "train/data/image/format.h"
#include "train/data/image/jpeg.h"
#include "train/data/image/png.h"

namespace giza::train {
namespace {

/// No picture file is larger; kMaxPixels of RGB without any compression would be, but such files are not met.
constexpr size_t kMaxFile = size_t{1} << 29;
/// Where the header is found, unless large profiles precede it.
constexpr size_t kHeaderBytes = size_t{1} << 16;

/// Refuses a file that is neither JPEG nor PNG, from its beginning.
void check_format(const std::string& path, std::span<const uint8_t> start) {
  check<Refusal>(!start.empty(), "{}: is empty; expected a JPEG or PNG picture", path);
  if (is_png(start) || is_jpeg(start)) return;
  const ForeignFormat format = foreign_format(start);
  throw Refusal(fmt::format("{}: is {}, whatever its name; expected a JPEG or PNG picture: {}", path, format.name,
                            format.remedy));
}

}  // namespace

void check_picture_size(const std::string& path, int64_t width, int64_t height) {
  check<Refusal>(width > 0 && height > 0, "{}: is an empty picture: {} x {} pixels", path, width, height);
  check<Refusal>(width <= kMaxPixels / height,
                 "{}: has {} x {} pixels, at most {} million are read; make the picture smaller, or cut it into tiles",
                 path, width, height, kMaxPixels / 1'000'000);
}

std::vector<uint8_t> read_picture_file(const std::string& path) {
  check_format(path, read_file_prefix(path, kFormatBytes));
  return read_file(path, kMaxFile);
}

Image decode_image(const std::string& path, std::span<const uint8_t> bytes) {
  return is_png(bytes) ? decode_png(path, bytes) : decode_jpeg(path, bytes);
}

Image read_image(const std::string& path) { return decode_image(path, read_picture_file(path)); }

LabelMap read_labels(const std::string& path) { return decode_labels(path, read_picture_file(path)); }

LabelMap decode_labels(const std::string& path, std::span<const uint8_t> bytes) {
  check<Refusal>(is_png(bytes),
                 "{}: is a JPEG; a label map holds one class index per pixel, which only a lossless file keeps: use an "
                 "8-bit grey or palette PNG",
                 path);
  return decode_png_labels(path, bytes);
}

std::array<int, 2> read_image_size(const std::string& path) {
  std::vector<uint8_t> bytes = read_file_prefix(path, kHeaderBytes);
  check_format(path, bytes);
  if (is_png(bytes)) return png_size(path, bytes);
  std::array<int, 2> size = jpeg_size(path, bytes);
  if (size[0] == 0 && bytes.size() == kHeaderBytes) {
    bytes = read_file(path, kMaxFile);
    size = jpeg_size(path, bytes);
  }
  check<Refusal>(size[0] > 0, "{}: truncated: the file ends before the size of the picture; copy it again", path);
  return size;
}

void write_image(const std::string& path, const Image& image) {
  write_file(path, encode_png(path, image.rgb.data(), image.width, image.height, 3), OutputFile::Durability::unsynced);
}

void write_labels(const std::string& path, const LabelMap& labels) {
  write_file(path, encode_png(path, labels.index.data(), labels.width, labels.height, 1),
             OutputFile::Durability::unsynced);
}

void write_colored_labels(const std::string& path, const LabelMap& labels, const std::vector<Color>& colors,
                          OutputFile::Durability durability) {
  std::vector<Color> palette = colors;
  // An index that the palette lacks makes a broken file.
  const size_t highest = labels.index.empty() ? 0 : *std::max_element(labels.index.begin(), labels.index.end());
  palette.resize(std::clamp<size_t>(palette.size(), highest + 1, kMostLabels));
  write_file(path, encode_png(path, labels.index.data(), labels.width, labels.height, 1, palette), durability);
}

Image colorize(const LabelMap& labels, const std::vector<Color>& colors) {
  std::array<Color, kMostLabels> table{};
  std::copy_n(colors.begin(), std::min(colors.size(), table.size()), table.begin());
  Image image(labels.width, labels.height);
  uint8_t* out = image.rgb.data();
  for (const uint8_t index : labels.index) out = std::copy(table[index].begin(), table[index].end(), out);
  return image;
}

Image overlay(const Image& image, const Image& color, double weight) {
  check(image.width == color.width && image.height == color.height,
        "overlay: the picture is {} x {}, the colours are {} x {}", image.width, image.height, color.width,
        color.height);
  Image mixed(image.width, image.height);
  for (size_t i = 0; i < mixed.rgb.size(); ++i) {
    const double value = weight * color.rgb[i] + (1 - weight) * image.rgb[i];
    mixed.rgb[i] = static_cast<uint8_t>(std::clamp(std::lround(value), 0L, 255L));
  }
  return mixed;
}

}  // namespace giza::train
