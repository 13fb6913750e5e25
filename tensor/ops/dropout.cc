// Dropout of whole channels, and of elements.
#include "tensor/ops/dropout.h"

#include <algorithm>

#include "tensor/base/check.h"
#include "tensor/kernels/dropout.h"
#include "tensor/kernels/elementwise.h"
#include "tensor/ops/batch_share.h"
#include "tensor/ops/cut.h"
#include "tensor/profile/profile.h"

namespace giza::ops {

namespace {

void check_probability(const char* op, float p) {
  check(p >= 0 && p < 1, "{}: probability {} is not in [0, 1)", op, p);
}

}  // namespace

Tensor dropout2d_mask(int64_t n, int64_t channels, float p, const Random& random) {
  check_probability("dropout2d", p);
  Tensor mask = Tensor::activation({n, 1, 1, channels});
  const float keep = 1.0F / (1.0F - p);
  const int64_t first = first_picture();
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t c = 0; c < channels; ++c) {
      mask.row(i)[c] = random.uniform(static_cast<uint32_t>((first + i) * channels + c)) < p ? 0.0F : keep;
    }
  }
  return mask;
}

Tensor dropout2d(const Tensor& x, const Tensor& mask) {
  check(x.rank() == 4 && mask.shape() == x.shape().with(1, 1).with(2, 1), "dropout2d: mask {} for x {}", mask.shape(),
        x.shape());
  Tensor y = Tensor::activation(x.shape());
  const profile::Scope scope([&] { return profile::elementwise("dropout2d", 1, x, y, mask); });
  const int64_t pixels = x.dim(1) * x.dim(2), grain = row_grain(x.channels());
  const int64_t tasks = (pixels + grain - 1) / grain;
  parallel_for(x.dim(0) * tasks, [&](int64_t task) {
    const int64_t item = task / tasks, begin = task % tasks * grain, row = item * pixels + begin;
    kernels::scale_columns(rows_from(x, row), mask.row(item), rows_from(y, row), std::min(grain, pixels - begin),
                           x.channels());
  });
  return y;
}

Tensor dropout(const Tensor& x, float p, const Random& random) {
  check_probability("dropout", p);
  const int64_t of_picture = x.numel() / std::max<int64_t>(x.dim(0), 1), first = first_picture() * of_picture;
  check((first + x.numel()) / 4 < int64_t{UINT32_MAX}, "dropout: {} has more elements than there are draws", x.shape());
  Tensor y = Tensor::activation(x.shape());
  // Ten rounds of two multiplications make four draws.
  const profile::Scope scope([&] { return profile::elementwise("dropout", 6, x, y); });
  const float factor = 1.0F / (1.0F - p);
  parallel_ranges(x.rows(), row_grain(x.channels()), [&](int64_t begin, int64_t end) {
    kernels::dropout(rows_from(x, begin), first + begin * x.channels(), random.stream(), p, factor, rows_from(y, begin),
                     end - begin, x.channels());
  });
  return y;
}

}  // namespace giza::ops
