#include "layers/init.h"

#include <cmath>

namespace giza::layers {

Tensor kaiming_normal_fan_out(const Shape& krsc, Random random) {
  Tensor w = Tensor::empty(krsc);
  const auto deviation = static_cast<float>(std::sqrt(2.0 / static_cast<double>(krsc[0] * krsc[1] * krsc[2])));
  for (int64_t i = 0; i < w.numel(); ++i) w.data()[i] = deviation * random.next_normal();
  return w;
}

Tensor default_uniform(const Shape& shape, int64_t fan_in, Random random) {
  Tensor w = Tensor::empty(shape);
  const auto bound = static_cast<float>(1.0 / std::sqrt(static_cast<double>(fan_in)));
  for (int64_t i = 0; i < w.numel(); ++i) w.data()[i] = random.next_uniform(-bound, bound);
  return w;
}

}  // namespace giza::layers
