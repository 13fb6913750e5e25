// Dropout as a layer.
#include "layers/dropout.h"

namespace giza::layers {

Random Dropout::random(const Context& context) const {
  return {context.seed, Purpose::dropout, context.iteration, stream_};
}

Variable Dropout::of_elements(const Variable& x, const Context& context) const {
  return context.training ? autograd::dropout(x, p_, random(context)) : x;
}

Variable Dropout::of_channels(const Variable& x, const Context& context) const {
  return context.training ? autograd::dropout2d(x, p_, random(context)) : x;
}

}  // namespace giza::layers
