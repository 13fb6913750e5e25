// The step of a tree's counter where the items are rows of floats.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tensor/kernels/elementwise.h"
#include "tensor/ops/picture_cut.h"

namespace giza::ops {

/// Takes the sum of item `index`, `floats` numbers at `sum`; kept sums lie `stride` floats apart from `kept` on. After
/// the last item `sum` is the whole.
inline void take_sum(const TreeCounter& counter, int64_t index, float* sum, int64_t floats, float* kept,
                     int64_t stride) {
  counter.take(
      index,
      [&](int64_t level) {
        kernels::add({sum, 0}, {kept + level * stride, 0}, {sum, 0}, 1, floats);
      },
      [&](int64_t level) { std::copy_n(sum, floats, kept + level * stride); });
}

}  // namespace giza::ops
