// Networks that give a picture one class: the trunk, its last map made a vector, and a fully connected layer. Trained
// on whole pictures, such a trunk is what parsers start from (docs/pretraining.md).
#pragma once

#include <memory>
#include <vector>

#include "layers/dropout.h"
#include "layers/linear.h"
#include "models/spatial_pyramid.h"
#include "models/trunk_parser.h"

namespace giza::models {

/// Architecture "classifier": the mean of the map (He et al., CVPR 2016; torchvision's ResNet where the stem is plain
/// and the output stride 32). Architecture "spp": its maxima in a pyramid of windows (spatial_pyramid.h).
class Classifier : public TrunkParser {
 public:
  /// Throws ShapeError for options that fit no network.
  explicit Classifier(const NetworkOptions& options);

 private:
  /// -> [N,1,1,classes]
  Variable scores(const Features& features, const layers::Context& context) const override;
  /// A label map of 1x1 pixel is a picture's class, whatever its size.
  void classify(const Features& features, const layers::Context& context, ParserOutput* output) const override;

  std::vector<int64_t> bins_;  // of the pyramid; empty: the mean
  PyramidWindows windows_ = PyramidWindows::strided;
  std::unique_ptr<layers::Linear> fc_;
  layers::Dropout dropout_;
};

/// Rows of the factory.
Architecture classifier_architecture();
Architecture spp_architecture();

}  // namespace giza::models
