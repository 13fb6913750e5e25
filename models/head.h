// The head of PSPNet and of the baseline, and every network's auxiliary head.
#pragma once

#include <span>

#include "layers/conv2d.h"
#include "layers/dropout.h"
#include "models/scene_parser.h"

namespace giza::models {

/// Convolution 3x3, batch norm, ReLU, dropout, 1x1 convolution to the classes.
class Head : public layers::Module {
 public:
  /// `structured`: computes the first convolution over the maps of a pyramid as they are (docs/structured-head.md),
  /// where that is possible; otherwise they are upsampled and concatenated, as Zhao et al. draw it in Figure 3.
  Head(int64_t in_channels, int64_t mid_channels, const ParserOptions& options, Build& build, bool structured = true);
  /// x [N,h,w,C] and the maps of a pyramid, if any: `in_channels` together -> logits [N,h,w,classes]
  Variable forward(const Variable& x, std::span<const Variable> maps, const layers::Context& context) const;

  /// Its two convolutions, for those who take a score apart (train/explore): the hidden units, and what weighs them.
  const layers::ConvBatchNorm& hidden() const { return conv_; }
  const layers::Conv2d& classifier() const { return classify_; }

 private:
  layers::ConvBatchNorm conv_;
  layers::Conv2d classify_;
  layers::Dropout dropout_;
  bool structured_, align_corners_;
};

}  // namespace giza::models
