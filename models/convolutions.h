// The convolutions that a model runs, with the shapes they run on, found without running it.
#pragma once

#include <string>
#include <vector>

#include "layers/conv2d.h"

namespace giza::models {

/// One convolution of a pass.
struct Convolution {
  std::string path;  ///< the layer's: "layer3.2.conv2"
  Shape x, w;        ///< [N,H,W,C] and [K,R,S,C]: the part of the weight that meets x, if x has fewer channels
  Conv2dOptions options;
  bool input_gradient = true;  ///< false where x is the picture, whose gradient nobody needs
  bool training_only = false;  ///< of the auxiliary head
};

/// A walk through a model by shapes alone. Modules with convolutions have a `trace` beside their `forward`.
class ConvolutionTrace {
 public:
  /// Adds a convolution of x, whose channels may be the first of the weight's only -> the shape of its output.
  Shape add(const layers::Conv2d& conv, const Shape& x);

  std::vector<Convolution> convolutions;
};

}  // namespace giza::models
