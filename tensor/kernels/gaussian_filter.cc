// The loop of a Gaussian filter between all pairs of pixels.
#include "tensor/kernels/gaussian_filter.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/gaussian_filter.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tensor/kernels/exp-inl.h"
#include "tensor/kernels/fixed_row-inl.h"

HWY_BEFORE_NAMESPACE();
namespace giza::kernels {
namespace HWY_NAMESPACE {

constexpr int64_t kRun = 64;  // weights are made for that many pixels at a time, as vectors over pixels

/// weights[j] = exp(-|f_i - f_(first + j)|^2) for j < kRun.
HWY_INLINE void gaussian_weights(const FeatureColumns& features, int64_t i, int64_t first, float* weights) {
  using D = hn::CappedTag<float, kRun>;
  const D d;
  for (int64_t j = 0; j < kRun; j += static_cast<int64_t>(hn::Lanes(d))) {
    auto exponent = hn::Zero(d);
    for (int k = 0; k < features.dimension; ++k) {
      const float* column = features.data + k * features.stride;
      const auto distance = hn::Sub(hn::LoadU(d, column + first + j), hn::Set(d, column[i]));
      exponent = hn::NegMulAdd(distance, distance, exponent);
    }
    hn::Store(exp_nonpositive(d, exponent), d, weights + j);
  }
}

struct Gaussian {
  template <int kWidth>
  static void run(const FeatureColumns* features, const float* inputs, const float* outputs, ConstRows x,
                  ConstRows base, Rows y, int64_t begin, int64_t end) {
    HWY_ALIGN float weights[kRun];
    for (int64_t i = begin; i < end; ++i) {
      FixedRow<kWidth> total;
      total.clear();
      for (int64_t first = 0; first < features->pixels; first += kRun) {
        gaussian_weights(*features, i, first, weights);
        FixedRow<kWidth> sum;
        sum.clear();
        const int64_t count = std::min(kRun, features->pixels - first);
        for (int64_t j = 0; j < count; ++j) sum.add_product(weights[j] * inputs[first + j], x.row(first + j));
        total.add(sum);
      }
      FixedRow<kWidth> result;
      result.load(base.row(i));
      result.add_product(outputs[i], total);
      result.store(y.row(i));
    }
  }
};

void gaussian_filter(const FeatureColumns& features, const float* inputs, const float* outputs, ConstRows x,
                     ConstRows base, Rows y, int64_t begin, int64_t end, int64_t width) {
  with_width<Gaussian>(width, &features, inputs, outputs, x, base, y, begin, end);
}

}  // namespace HWY_NAMESPACE
}  // namespace giza::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace giza::kernels {

HWY_EXPORT(gaussian_filter);

void gaussian_filter(const FeatureColumns& features, const float* inputs, const float* outputs, ConstRows x,
                     ConstRows base, Rows y, int64_t begin, int64_t end, int64_t width) {
  HWY_DYNAMIC_DISPATCH(gaussian_filter)(features, inputs, outputs, x, base, y, begin, end, width);
}

}  // namespace giza::kernels
#endif  // HWY_ONCE
