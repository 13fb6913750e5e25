// A scene parser on the dilated ResNet that all networks here share: the trunk, and the auxiliary head in training.
// What it makes of the trunk's features is the network's own.
#pragma once

#include <memory>

#include "models/head.h"
#include "models/scene_parser.h"

namespace giza::models {

class TrunkParser : public SceneParser {
 public:
  /// Any size of x from 1x1 on; logits at the size of the head's own map.
  ParserOutput forward(const Variable& x, const layers::Context& context) const override;
  NetworkOptions description() const override { return options_; }

 protected:
  /// What a head may look at: layer4's features, and with `skips` layer2's and layer3's. At output stride 32 their maps
  /// are [N,H/8,W/8,C2], [N,H/16,W/16,C3] and [N,H/32,W/32,C4], sizes rounded up; a smaller output stride bounds all.
  struct Features {
    Variable layer2, layer3, layer4;
  };

  /// x [N,H,W,3]. Sets output->aux to the auxiliary head's scores, in training and if there is one; output may be null.
  Features trunk_features(const Variable& x, const layers::Context& context, ParserOutput* output) const;

  /// Builds the trunk, "layer0" to "layer4". Throws ShapeError for options that fit no network.
  explicit TrunkParser(const NetworkOptions& options, bool skips = false);
  /// To be called by the network's constructor after its own layers: "aux", if the options want one.
  void add_auxiliary_head();
  /// -> [N,h,w,classes]
  virtual Variable scores(const Features& features, const layers::Context& context) const = 0;
  /// Sets output->logits to the scores. For networks whose loss needs more than these.
  virtual void classify(const Features& features, const layers::Context& context, ParserOutput* output) const;

  const NetworkOptions& options() const { return options_; }
  const Resnet& trunk() const { return *trunk_; }
  Build& build() { return build_; }

 private:
  NetworkOptions options_;
  bool skips_;
  Build build_;
  std::unique_ptr<Resnet> trunk_;
  std::unique_ptr<Head> aux_;
};

/// For Architecture::infer: whether a file has the auxiliary head, and its channels.
void infer_auxiliary_head(const TensorShapes& shapes, NetworkOptions* options);

/// For Architecture::make.
template <class Network>
std::unique_ptr<SceneParser> make_network(const NetworkOptions& options) {
  return std::make_unique<Network>(options);
}

}  // namespace giza::models
