// A picture of floats, between the bytes of a file and the tensor of a batch.
#pragma once

#include <cstddef>
#include <vector>

namespace giza::train {

/// Float RGB, 0 to 255 until normalised; rows from the top, dense: height * width * 3.
struct FloatImage {
  int width = 0, height = 0;
  std::vector<float> rgb;
  FloatImage() = default;
  FloatImage(int w, int h) : width(w), height(h), rgb(static_cast<size_t>(w) * static_cast<size_t>(h) * 3) {}
  float* row(int y) { return rgb.data() + static_cast<size_t>(y) * static_cast<size_t>(width) * 3; }
  const float* row(int y) const { return rgb.data() + static_cast<size_t>(y) * static_cast<size_t>(width) * 3; }
};

}  // namespace giza::train
