// PSPNet (Zhao et al., CVPR 2017, Figure 3): dilated ResNet, pyramid pooling, head, and an auxiliary head in training.
#pragma once

#include <memory>
#include <vector>

#include "layers/conv2d.h"
#include "models/pyramid_pooling.h"
#include "models/scene_parser.h"

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

/// Convolution 3x3, batch norm, ReLU, dropout, 1x1 convolution to the classes: cls and aux.
class Head : public layers::Module {
 public:
  Head(int64_t in_channels, int64_t mid_channels, const PspnetOptions& options, Build& build);
  /// x [N,h,w,C] and the maps of a pyramid, if any: `in_channels` together -> logits [N,h,w,classes]
  Variable forward(const Variable& x, std::span<const Variable> maps, const layers::Context& context) const;

 private:
  layers::ConvBatchNorm conv_;
  layers::Conv2d classify_;
  float dropout_;
  uint32_t stream_;  // of dropout, so that two heads never share a mask
  bool structured_, align_corners_;
};

class Pspnet : public SceneParser {
 public:
  /// Throws ShapeError for options that fit no network.
  explicit Pspnet(const PspnetOptions& options);

  /// Any size of x from 1x1 on; logits at an eighth of it.
  ParserOutput forward(const Variable& x, const layers::Context& context) const override;
  NetworkOptions description() const override { return options_.network(); }
  const PspnetOptions& options() const { return options_; }

 private:
  PspnetOptions options_;
  std::unique_ptr<Resnet> backbone_;
  std::unique_ptr<PyramidPooling> pyramid_;
  std::unique_ptr<Head> cls_, aux_;
};

/// Rows of the factory.
Architecture pspnet_architecture();
Architecture baseline_architecture();

}  // namespace giza::models
