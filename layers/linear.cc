// Fully connected layer.
#include "layers/linear.h"

#include "autograd/listener.h"
#include "layers/init.h"
#include "tensor/profile/profile.h"

namespace giza::layers {

Linear::Linear(int64_t in, int64_t out, const Random& random) {
  const Shape shape = {out, in};
  weight_ = add_parameter("weight", default_uniform(shape, in, random));
  // Draws after the weight's own.
  Random rest = random;
  rest.skip(kUniformDraws * static_cast<uint32_t>(shape.numel()));
  bias_ = add_parameter("bias", default_uniform({out}, in, rest));
}

Variable Linear::forward(const Variable& x) const {
  const profile::Layer layer(path());
  Variable y = autograd::linear(x, weight_, bias_);
  if (autograd::heard()) {
    autograd::announce({.name = "linear", .inputs = {x.value()}, .output = y.value(), .layer = path()});
  }
  return y;
}

}  // namespace giza::layers
