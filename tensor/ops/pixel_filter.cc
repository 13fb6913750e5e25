// What filters between pixels share.
#include "tensor/ops/pixel_filter.h"

#include "tensor/base/check.h"

namespace giza::ops {
namespace {

/// factors *= others, if they are defined.
void multiply_by(const Tensor& factors, const Tensor& others) {
  if (!others.defined()) return;
  for (int64_t i = 0; i < factors.numel(); ++i) factors.data()[i] *= others.data()[i];
}

}  // namespace

int64_t filter_width(int64_t classes) { return classes <= 4 ? 4 : classes <= 8 ? 8 : (classes + 15) / 16 * 16; }

void PixelFilter::add(const Tensor& x, const Tensor& base, const Tensor& y, FilterDirection direction) const {
  check(x.rank() >= 1 && x.rows() == pixels() && base.shape() == x.shape() && y.shape() == x.shape(),
        "{}: x {}, base {} and y {} for {} pixels", name_, x.shape(), base.shape(), y.shape(), pixels());
  check(x.channels() == filter_width(x.channels()), "{}: rows of {} values, expected {}", name_, x.channels(),
        filter_width(x.channels()));
  check(x.data() != y.data(), "{}: y may not be x", name_);
  // transpose(diag(a) K diag(b)) = diag(b) transpose(K) diag(a)
  const bool forward = direction == FilterDirection::forward;
  run(x, base, y, {(forward ? inputs_ : outputs_).data(), (forward ? outputs_ : inputs_).data()}, direction);
}

void PixelFilter::multiply(const Tensor& inputs, const Tensor& outputs) {
  for (const Tensor& factors : {inputs, outputs}) {
    check(!factors.defined() || factors.shape() == inputs_.shape(), "{}: factors {} for {} pixels", name_,
          factors.shape(), pixels());
  }
  multiply_by(inputs_, inputs);
  multiply_by(outputs_, outputs);
}

}  // namespace giza::ops
