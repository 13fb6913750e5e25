// The convolutions that a model runs.
#include "models/convolutions.h"

#include <algorithm>

namespace giza::models {

Shape ConvolutionTrace::add(const layers::Conv2d& conv, const Shape& x) {
  const Shape& all = conv.weight().shape();
  const Shape w = all.with(3, std::min(x[3], all[3]));
  const Conv2dOptions& options = conv.options();
  convolutions.push_back({.path = conv.path(), .x = x, .w = w, .options = options});
  return {x[0], ops::conv_output_size(x[1], w[1], options), ops::conv_output_size(x[2], w[2], options), w[0]};
}

}  // namespace giza::models
