// Initial weights.
#include "layers/init.h"

#include <cmath>

#include "tensor/parallel.h"

namespace giza::layers {
namespace {

// Every element has draws of its own, so that threads can share the work: PSPNet269 has 100 million.
template <class Draw>
void fill(const Tensor& w, const Random& random, uint32_t draws_per_element, Draw&& draw) {
  parallel_ranges(w.numel(), int64_t{1} << 14, [&](int64_t begin, int64_t end) {
    Random part = random;
    part.skip(static_cast<uint32_t>(begin) * draws_per_element);
    for (int64_t i = begin; i < end; ++i) w.data()[i] = draw(part);
  });
}

}  // namespace

Tensor kaiming_normal_fan_out(const Shape& krsc, const Random& random) {
  Tensor w = Tensor::empty(krsc);
  const auto deviation = static_cast<float>(std::sqrt(2.0 / static_cast<double>(krsc[0] * krsc[1] * krsc[2])));
  fill(w, random, kNormalDraws, [&](Random& part) { return deviation * part.next_normal(); });
  return w;
}

Tensor default_uniform(const Shape& shape, int64_t fan_in, const Random& random) {
  Tensor w = Tensor::empty(shape);
  const auto bound = static_cast<float>(1.0 / std::sqrt(static_cast<double>(fan_in)));
  fill(w, random, kUniformDraws, [&](Random& part) { return part.next_uniform(-bound, bound); });
  return w;
}

}  // namespace giza::layers
