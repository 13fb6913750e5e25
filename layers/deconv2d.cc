// Transposed convolution.
#include "layers/deconv2d.h"

#include "layers/init.h"
#include "tensor/profile/profile.h"

namespace giza::layers {

Deconv2d::Deconv2d(int64_t channels, int64_t kernel, int64_t stride, int64_t padding, const ConvEngine& engine)
    : options_{.stride = stride, .padding = padding, .engine = engine},
      weight_(add_parameter("weight", bilinear_kernel(channels, kernel))) {}

Variable Deconv2d::forward(const Variable& x, bool learned) const {
  const profile::Layer layer(path());
  return autograd::conv_transpose2d(x, learned ? weight_ : Variable(weight_.value()), options_);
}

}  // namespace giza::layers
