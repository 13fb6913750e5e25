// The order of what a convolution sees concatenated.
#include "models/weights/input_blocks.h"

#include <algorithm>

namespace giza::models {

void reorder_input_blocks(WeightTensor* weight, int64_t channels, std::span<const int> order) {
  const std::vector<int64_t>& shape = weight->shape;
  const auto blocks = static_cast<int64_t>(order.size());
  if (shape.size() != 4 || weight->data.empty() || shape[1] / blocks < channels) return;
  const int64_t area = shape[2] * shape[3];
  std::vector<float> ordered = weight->data;
  for (int64_t k = 0; k < shape[0]; ++k) {
    const int64_t first = (k + 1) * shape[1] - blocks * channels;  // of the filter's inputs in blocks
    for (int64_t i = 0; i < blocks; ++i) {
      std::copy_n(weight->data.begin() + (first + order[static_cast<size_t>(i)] * channels) * area, channels * area,
                  ordered.begin() + (first + i * channels) * area);
    }
  }
  weight->data = std::move(ordered);
}

}  // namespace giza::models
