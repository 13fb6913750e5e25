// Pictures and label maps made smaller.
#include "train/draw/shrink.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace giza::train {
namespace {

struct Size {
  int width, height;
};

Size shrunk(int width, int height, int max_side) {
  const int side = std::max(width, height);
  if (side <= max_side) return {width, height};
  const auto scaled = [&](int length) {
    return std::max(1, static_cast<int>((int64_t{length} * max_side + side / 2) / side));
  };
  return {scaled(width), scaled(height)};
}

}  // namespace

Image shrink_image(const Image& image, int max_side) {
  const Size size = shrunk(image.width, image.height, max_side);
  if (size.width == image.width && size.height == image.height) return image;
  Image result(size.width, size.height);
  const auto edges = [](int count, int length) {
    std::vector<int> places;
    for (int i = 0; i <= count; ++i) places.push_back(static_cast<int>(int64_t{i} * length / count));
    return places;
  };
  const std::vector<int> columns = edges(size.width, image.width), rows = edges(size.height, image.height);
  for (size_t y = 0; y + 1 < rows.size(); ++y) {
    uint8_t* to = result.at(0, static_cast<int>(y));
    for (size_t x = 0; x + 1 < columns.size(); ++x, to += 3) {
      uint64_t red = 0, green = 0, blue = 0;
      for (int v = rows[y]; v < rows[y + 1]; ++v) {
        const uint8_t* from = image.at(columns[x], v);
        for (int u = columns[x]; u < columns[x + 1]; ++u, from += 3) {
          red += from[0];
          green += from[1];
          blue += from[2];
        }
      }
      const auto area =
          static_cast<uint64_t>(rows[y + 1] - rows[y]) * static_cast<uint64_t>(columns[x + 1] - columns[x]);
      to[0] = static_cast<uint8_t>((red + area / 2) / area);
      to[1] = static_cast<uint8_t>((green + area / 2) / area);
      to[2] = static_cast<uint8_t>((blue + area / 2) / area);
    }
  }
  return result;
}

LabelMap shrink_labels(const LabelMap& labels, int max_side) {
  const Size size = shrunk(labels.width, labels.height, max_side);
  if (size.width == labels.width && size.height == labels.height) return labels;
  LabelMap result(size.width, size.height);
  const auto middles = [](int count, int length) {
    std::vector<int> places;
    for (int i = 0; i < count; ++i) {
      places.push_back(static_cast<int>((2 * int64_t{i} + 1) * length / (2 * int64_t{count})));
    }
    return places;
  };
  const std::vector<int> columns = middles(size.width, labels.width), rows = middles(size.height, labels.height);
  auto to = result.index.begin();
  for (const int y : rows) {
    for (const int x : columns) *to++ = labels.at(x, y);
  }
  return result;
}

}  // namespace giza::train
