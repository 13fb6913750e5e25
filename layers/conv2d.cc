// Convolution as a layer.
#include "layers/conv2d.h"

#include "layers/frozen.h"
#include "tensor/profile/profile.h"

namespace giza::layers {

namespace {

std::vector<Tensor> values_of(std::span<const Variable> variables) {
  std::vector<Tensor> values;
  for (const Variable& variable : variables) values.push_back(variable.value());
  return values;
}

}  // namespace

Conv2d::Conv2d(const ConvShape& shape, bool bias, const Init& init, const Random& random, const ConvEngine& engine)
    : options_{.stride = shape.stride,
               .padding = shape.padding == ConvShape::kSame ? shape.dilation * (shape.kernel / 2) : shape.padding,
               .dilation = shape.dilation,
               .engine = engine} {
  const Shape krsc = {shape.out, shape.kernel, shape.kernel, shape.in};
  weight_ = add_parameter("weight", initial_weight(init, krsc, random));
  if (bias) bias_ = add_parameter("bias", initial_bias(init, krsc, random));
}

Variable Conv2d::forward(const Variable& x, const Context& context, ops::ChannelMoments* moments) const {
  const profile::Layer layer(path());
  if (context.frozen != nullptr) return Variable(context.frozen->conv2d(x.value(), *this, nullptr, {}));
  return autograd::conv2d(x, weight_, bias_, options_, moments);
}

Variable Conv2d::forward_relu(const Variable& x, const Context& context) const {
  const profile::Layer layer(path());
  if (context.frozen != nullptr) return Variable(context.frozen->conv2d(x.value(), *this, nullptr, {.relu = true}));
  return autograd::relu(autograd::conv2d(x, weight_, bias_, options_));
}

Variable Conv2d::forward(const Variable& x, std::span<const Variable> maps, ops::ChannelMoments* moments) const {
  const profile::Layer layer(path());
  return autograd::pyramid_conv(x, maps, weight_, options_, moments);
}

Variable ConvBatchNorm::forward(const Variable& x, const Context& context, bool relu, const Variable& residual) const {
  if (context.frozen != nullptr) {
    const profile::Layer layer(conv.path());
    const Tensor sum = residual.defined() ? residual.value() : Tensor();
    return Variable(context.frozen->conv2d(x.value(), conv, &bn, {.residual = sum, .relu = relu}));
  }
  ops::ChannelMoments moments;
  const Variable y = conv.forward(x, context, context.training ? &moments : nullptr);
  return bn.forward(y, context, relu, residual, &moments);
}

Variable ConvBatchNorm::forward(const Variable& x, std::span<const Variable> maps, const Context& context) const {
  if (context.frozen != nullptr) {
    const profile::Layer layer(conv.path());
    return Variable(context.frozen->pyramid_conv(x.value(), values_of(maps), conv, &bn, /*relu=*/true));
  }
  ops::ChannelMoments moments;
  const Variable y = conv.forward(x, maps, context.training ? &moments : nullptr);
  return bn.forward(y, context, /*relu=*/true, {}, &moments);
}

}  // namespace giza::layers
