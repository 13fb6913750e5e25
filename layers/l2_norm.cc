// L2 norm with a learned gain.
#include "layers/l2_norm.h"

#include "tensor/profile/profile.h"

namespace giza::layers {

L2Norm::L2Norm(int64_t channels, float gain) : weight_(add_parameter("weight", Tensor::full({channels}, gain))) {}

Variable L2Norm::forward(const Variable& x) const {
  const profile::Layer layer(path());
  return autograd::l2_normalize(x, weight_);
}

}  // namespace giza::layers
