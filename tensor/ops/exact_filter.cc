// The Gaussian filter between all pairs of pixels.
#include "tensor/ops/exact_filter.h"

#include <cmath>

#include "tensor/base/check.h"
#include "tensor/kernels/gaussian_filter.h"
#include "tensor/ops/cut.h"
#include "tensor/profile/profile.h"

namespace giza::ops {

ExactFilter::ExactFilter(const Tensor& features) : PixelFilter("exact filter", features.rows()) {
  check(features.rank() == 4 && features.dim(0) == 1 && features.numel() > 0, "exact filter: features {}",
        features.shape());
  const int64_t dimension = features.channels();
  columns_ = Tensor::zeros({dimension, (pixels() + 63) / 64 * 64});
  // exp(-|a - b|^2 / 2) = exp(-|a / sqrt 2 - b / sqrt 2|^2).
  const double scale = std::sqrt(0.5);
  for (int64_t i = 0; i < pixels(); ++i) {
    for (int64_t k = 0; k < dimension; ++k) {
      columns_.row(k)[i] = static_cast<float>(features.row(i)[k] * scale);
    }
  }
}

void ExactFilter::run(const Tensor& x, const Tensor& base, const Tensor& y, const Factors& factors,
                      FilterDirection /*direction: K is symmetric*/) const {
  const kernels::FeatureColumns features{columns_.data(), columns_.row_stride(), static_cast<int>(columns_.dim(0)),
                                         pixels()};
  const profile::Scope scope([&] {
    profile::Work work = profile::elementwise("exact_filter", 0, x, base, y);
    // An exponential counts as one operation.
    const double each = 3.0 * features.dimension + 2 + 2 * static_cast<double>(x.channels());
    work.flops = static_cast<double>(pixels()) * static_cast<double>(pixels()) * each;
    return work;
  });
  constexpr int64_t kPairs = 1 << 16;  // of a task
  for_each_filter_slice(x.channels(), [&](int64_t column, int64_t width) {
    parallel_ranges(pixels(), std::max<int64_t>(1, kPairs / pixels()), [&](int64_t begin, int64_t end) {
      kernels::gaussian_filter(features, factors.inputs, factors.outputs, rows_from(x, 0, column),
                               rows_from(base, 0, column), rows_from(y, 0, column), begin, end, width);
    });
  });
}

}  // namespace giza::ops
