// Convolution as a layer.
#include "layers/conv2d.h"

#include "layers/init.h"
#include "tensor/profile.h"

namespace giza::layers {

Conv2d::Conv2d(const ConvShape& shape, bool bias, Init init, const Random& random, ConvBackend backend)
    : options_{.stride = shape.stride,
               .padding = shape.dilation * (shape.kernel / 2),
               .dilation = shape.dilation,
               .backend = backend} {
  const Shape krsc = {shape.out, shape.kernel, shape.kernel, shape.in};
  const int64_t fan_in = shape.kernel * shape.kernel * shape.in;
  weight_ = add_parameter("weight", init == Init::kaiming_normal ? kaiming_normal_fan_out(krsc, random)
                                                                 : default_uniform(krsc, fan_in, random));
  if (bias) {
    // Draws after the weight's own.
    Random rest = random;
    rest.skip(static_cast<uint32_t>(krsc.numel()));
    bias_ = add_parameter("bias", default_uniform({shape.out}, fan_in, rest));
  }
}

Variable Conv2d::forward(const Variable& x) const {
  const profile::Layer layer(path());
  return autograd::conv2d(x, weight_, bias_, options_);
}

}  // namespace giza::layers
