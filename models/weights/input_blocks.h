// The order of what a convolution sees concatenated.
#pragma once

#include <span>

#include "models/weights/weight_file.h"

namespace giza::models {

/// Of a weight [K,C,R,S] whose last inputs are blocks of `channels`, as many as `order` is long: block i becomes what
/// block order[i] was. A weight of another shape stays as it is, to be refused at loading.
void reorder_input_blocks(WeightTensor* weight, int64_t channels, std::span<const int> order);

}  // namespace giza::models
