// DeepLab v3 (Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation", 2017, section 3.3) on the
// shared ResNet: atrous spatial pyramid pooling with batch norm and the mean of the picture, concatenated. Names are
// torchvision's.
#pragma once

#include <memory>

#include "models/trunk_parser.h"

namespace giza::models {

class DeepLabV3 : public TrunkParser {
 public:
  /// Throws ShapeError for options that fit no network.
  explicit DeepLabV3(const NetworkOptions& options);
  ~DeepLabV3() override;

 protected:
  /// In training, throws ShapeError for a batch of one, whose mean has a single value per channel.
  Variable scores(const Features& features, const layers::Context& context) const override;

 private:
  class Aspp;
  std::unique_ptr<Aspp> aspp_;                   // classifier.0, with or without its last layer (aspp_project)
  std::unique_ptr<layers::ConvBatchNorm> conv_;  // classifier.1 and .2
  std::unique_ptr<layers::Conv2d> classify_;     // classifier.4
};

/// Row of the factory.
Architecture deeplabv3_architecture();

}  // namespace giza::models
