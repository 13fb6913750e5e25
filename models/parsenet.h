// ParseNet (Liu et al., 2015) on the shared ResNet: the mean of all features joins each of them, both brought to one
// length.
#pragma once

#include <memory>

#include "layers/dropout.h"
#include "layers/l2_norm.h"
#include "models/trunk_parser.h"

namespace giza::models {

class ParseNet : public TrunkParser {
 public:
  /// Throws ShapeError for options that fit no network.
  explicit ParseNet(const NetworkOptions& options);

 protected:
  Variable scores(const Features& features, const layers::Context& context) const override;

 private:
  std::unique_ptr<layers::L2Norm> local_norm_, global_norm_;    // null without l2norm
  std::unique_ptr<layers::Conv2d> local_score_, global_score_;  // late fusion: sum of the scores
  std::unique_ptr<Head> cls_;                                   // early fusion: scores of both, concatenated
  layers::Dropout dropout_;
};

/// Row of the factory.
Architecture parsenet_architecture();

}  // namespace giza::models
