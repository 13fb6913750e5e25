// Random numbers for benchmarks.
#pragma once

#include "tensor/random.h"
#include "tensor/tensor.h"

namespace giza::bench {

/// Fills the tensor with numbers from [-1, 1); another `item`, other numbers.
inline Tensor random_tensor(Tensor tensor, uint32_t item) {
  Random random(7, Purpose::test, 0, item);
  for (int64_t i = 0; i < tensor.rows(); ++i) {
    for (int64_t c = 0; c < tensor.channels(); ++c) tensor.row(i)[c] = random.next_uniform(-1, 1);
  }
  return tensor;
}

}  // namespace giza::bench
