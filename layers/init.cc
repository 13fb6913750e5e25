// Initial weights.
#include "layers/init.h"

#include <cmath>
#include <cstdlib>

#include "tensor/base/check.h"
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

Tensor normal(const Shape& shape, double deviation, const Random& random) {
  if (deviation == 0) return Tensor::zeros(shape);
  Tensor w = Tensor::empty(shape);
  fill(w, random, kNormalDraws, [&](Random& part) { return static_cast<float>(deviation) * part.next_normal(); });
  return w;
}

Tensor identity(const Init& init, const Shape& krsc, const Random& random) {
  const int64_t out = krsc[0], in = krsc[3], classes = init.classes;
  check(classes > 0 && in % classes == 0 && out % classes == 0, "identity: weight {} for {} classes", krsc, classes);
  Tensor w = normal(krsc, init.deviation, random);
  const int64_t centre = krsc[1] / 2 * krsc[2] + krsc[2] / 2, taps = krsc[1] * krsc[2];
  const auto share = static_cast<float>(static_cast<double>(classes) / static_cast<double>(out));
  for (int64_t b = 0; b < out; ++b) {
    float* row = w.row(b * taps + centre);
    for (int64_t a = 0; a < in; ++a) {
      if (a * classes / in == b * classes / out) row[a] = share;
    }
  }
  return w;
}

int64_t fan_in(const Shape& krsc) { return krsc[1] * krsc[2] * krsc[3]; }

}  // namespace

Tensor initial_weight(const Init& init, const Shape& krsc, const Random& random) {
  const auto he = [&](int64_t fan) { return normal(krsc, std::sqrt(2.0 / static_cast<double>(fan)), random); };
  switch (init.rule) {
    case Init::Rule::kaiming_normal:
      return he(krsc[0] * krsc[1] * krsc[2]);
    case Init::Rule::default_uniform:
      return default_uniform(krsc, fan_in(krsc), random);
    case Init::Rule::msra:
      return he(fan_in(krsc));
    case Init::Rule::normal:
      return normal(krsc, init.deviation, random);
    case Init::Rule::zero:
      return Tensor::zeros(krsc);
    case Init::Rule::identity:
      return identity(init, krsc, random);
  }
  return {};
}

Tensor initial_bias(const Init& init, const Shape& krsc, const Random& random) {
  const bool normal = init.rule == Init::Rule::kaiming_normal;
  if (!normal && init.rule != Init::Rule::default_uniform) return Tensor::zeros({krsc[0]});
  Random rest = random;
  rest.skip((normal ? kNormalDraws : kUniformDraws) * static_cast<uint32_t>(krsc.numel()));
  return default_uniform({krsc[0]}, fan_in(krsc), rest);
}

Tensor default_uniform(const Shape& shape, int64_t fan_in, const Random& random) {
  Tensor w = Tensor::empty(shape);
  const auto bound = static_cast<float>(1.0 / std::sqrt(static_cast<double>(fan_in)));
  fill(w, random, kUniformDraws, [&](Random& part) { return part.next_uniform(-bound, bound); });
  return w;
}

Tensor bilinear_kernel(int64_t channels, int64_t k) {
  check(k >= 1, "bilinear_kernel: side {}", k);
  Tensor w = Tensor::zeros({channels, k, k, channels});
  const int64_t f = (k + 1) / 2;
  const double centre = static_cast<double>(f) - (k % 2 == 0 ? 0.5 : 1.0);
  const auto weight = [&](int64_t i) { return 1 - std::abs(static_cast<double>(i) - centre) / static_cast<double>(f); };
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t r = 0; r < k; ++r) {
      for (int64_t s = 0; s < k; ++s) w.row((c * k + r) * k + s)[c] = static_cast<float>(weight(r) * weight(s));
    }
  }
  return w;
}

}  // namespace giza::layers
