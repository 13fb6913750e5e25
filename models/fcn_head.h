// The FCN head of mmsegmentation (its fcn_r50-d8) on the shared ResNet, dilated: 3x3 convolutions, and one more that
// sees their result beside the trunk's own features.
#pragma once

#include <memory>
#include <vector>

#include "models/trunk_parser.h"

namespace giza::models {

/// Names: cls.convs.I.0 and .1, the convolutions and their batch norms; then cls.0, .1 and .4 as in every head.
class FcnHead : public TrunkParser {
 public:
  /// Throws ShapeError for options that fit no network.
  explicit FcnHead(const NetworkOptions& options);

 protected:
  Variable scores(const Features& features, const layers::Context& context) const override;

 private:
  std::vector<std::unique_ptr<layers::ConvBatchNorm>> convs_;
  std::unique_ptr<Head> cls_;
};

/// Row of the factory.
Architecture fcn_head_architecture();

}  // namespace giza::models
