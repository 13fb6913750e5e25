// SegNet and SegNet-Basic (Badrinarayanan, Kendall and Cipolla, PAMI 2017, section 3): an encoder whose poolings
// remember where each maximum was, and a decoder that puts numbers back there. Names are the authors'.
#pragma once

#include <memory>
#include <vector>

#include "models/scene_parser.h"

namespace giza::models {

class Segnet : public SceneParser {
 public:
  /// Throws ShapeError for options that fit no network.
  explicit Segnet(const NetworkOptions& options);

  /// Any size of x from 1x1 on; logits at its size.
  ParserOutput forward(const Variable& x, const layers::Context& context) const override;
  NetworkOptions description() const override { return options_; }

 private:
  using Layers = std::vector<std::unique_ptr<layers::ConvBatchNorm>>;
  void add_layers(Layers* to, const std::vector<std::string>& names, int64_t in, const std::vector<int64_t>& out,
                  Build& build);

  NetworkOptions options_;
  bool basic_;
  int64_t kernel_;
  std::vector<Layers> encoder_, decoder_;  // by pooling; the decoder's from the deepest on
  std::unique_ptr<layers::Conv2d> classify_;
};

/// Row of the factory.
Architecture segnet_architecture();

}  // namespace giza::models
