// Concatenation along channels.
#include "tensor/ops/concat.h"

#include "tensor/base/check.h"
#include "tensor/kernels/elementwise.h"
#include "tensor/ops/cut.h"
#include "tensor/profile/profile.h"

namespace giza::ops {

Tensor concat_channels(std::span<const Tensor> parts) {
  check(!parts.empty(), "concat: no parts");
  const Shape& first = parts.front().shape();
  check(first.rank() >= 1, "concat: part {} has no channels", first);
  int64_t channels = 0;
  for (const Tensor& part : parts) {
    check(part.rank() == first.rank() && part.shape().with(part.rank() - 1, 0) == first.with(first.rank() - 1, 0),
          "concat: part {} beside part {}", part.shape(), first);
    channels += part.channels();
  }
  Tensor y = Tensor::activation(first.with(first.rank() - 1, channels));
  const profile::Scope scope([&] { return profile::elementwise("concat_channels", 0, y, y); });
  parallel_ranges(y.rows(), row_grain(channels), [&](int64_t begin, int64_t end) {
    int64_t at = 0;
    for (const Tensor& part : parts) {
      kernels::copy_rows(rows_from(part, begin), {y.row(begin) + at, y.row_stride()}, end - begin, part.channels());
      at += part.channels();
    }
  });
  return y;
}

}  // namespace giza::ops
