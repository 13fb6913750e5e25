// Convolution as a layer.
#include "layers/conv2d.h"

#include "layers/frozen.h"
#include "layers/init.h"
#include "tensor/profile.h"

namespace giza::layers {

Conv2d::Conv2d(const ConvShape& shape, bool bias, Init init, const Random& random, const ConvEngine& engine)
    : options_{.stride = shape.stride,
               .padding = shape.dilation * (shape.kernel / 2),
               .dilation = shape.dilation,
               .backend = engine.backend,
               .algorithm = engine.algorithm} {
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

Variable Conv2d::forward(const Variable& x, const Context& context) const {
  const profile::Layer layer(path());
  if (context.frozen != nullptr) return Variable(context.frozen->conv2d(x.value(), *this, nullptr, {}));
  return autograd::conv2d(x, weight_, bias_, options_);
}

Variable ConvBatchNorm::forward(const Variable& x, const Context& context, bool relu, const Variable& residual) const {
  if (context.frozen == nullptr) return bn.forward(conv.forward(x, context), context, relu, residual);
  const profile::Layer layer(conv.path());
  const Tensor sum = residual.defined() ? residual.value() : Tensor();
  return Variable(context.frozen->conv2d(x.value(), conv, &bn, {.residual = sum, .relu = relu}));
}

}  // namespace giza::layers
