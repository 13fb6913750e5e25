// DeepLab-LargeFOV (Chen et al., ICLR 2015; "DeepLab", 2017, section 4.1.1) on the shared ResNet: one convolution with
// a large dilation as fc6, then fc7 and the scores.
#pragma once

#include <memory>

#include "layers/dropout.h"
#include "models/trunk_parser.h"

namespace giza::models {

class LargeFov : public TrunkParser {
 public:
  /// Throws ShapeError for options that fit no network.
  explicit LargeFov(const NetworkOptions& options);

 protected:
  Variable scores(const Features& features, const layers::Context& context) const override;

 private:
  std::unique_ptr<layers::Conv2d> fc6_, fc7_, fc8_;
  layers::Dropout dropout6_, dropout7_;
};

/// Row of the factory.
Architecture largefov_architecture();

}  // namespace giza::models
