// PSPNet (Zhao et al., CVPR 2017, Figure 3): dilated ResNet, pyramid pooling, head, and an auxiliary head in training.
#pragma once

#include <memory>
#include <vector>

#include "models/pyramid_pooling.h"
#include "models/trunk_parser.h"

namespace giza::models {

struct PspnetOptions : ParserOptions {
  bool pyramid = true;  ///< false: the paper's baseline, the head directly on the feature map
  std::vector<int64_t> bins = {1, 2, 3, 6};
  PyramidPool pool = PyramidPool::average;
  bool reduce = true;  ///< dimension reduction (DR) in the pyramid: 1x1 convolution to C / bins
  /// How the head's convolution is computed, no part of the network: over the pyramid's maps as they are
  /// (docs/structured-head.md), or upsampled and concatenated, as Figure 3 draws it; so it always is for other backends
  /// and without align_corners.
  bool structured_head = true;

  PspnetOptions() = default;
  /// Those of architecture "psp" or "baseline".
  explicit PspnetOptions(const NetworkOptions& options);
  NetworkOptions network() const;
};

class Pspnet : public TrunkParser {
 public:
  /// Throws ShapeError for options that fit no network.
  explicit Pspnet(const PspnetOptions& options);

  /// forward() in its steps, for those who look at what lies between them, or change it: in evaluation
  /// logits = head().forward(features, maps(features)).
  Variable features(const Variable& x, const layers::Context& context) const;  ///< of layer4, [N,h,w,C]
  /// The pyramid's maps, in the order of the bins; none in a baseline.
  std::vector<Variable> maps(const Variable& features, const layers::Context& context) const;
  const Head& head() const { return *cls_; }

 protected:
  Variable scores(const Features& features, const layers::Context& context) const override;

 private:
  std::unique_ptr<PyramidPooling> pyramid_;
  std::unique_ptr<Head> cls_;
};

/// Rows of the factory.
Architecture pspnet_architecture();
Architecture baseline_architecture();

}  // namespace giza::models
