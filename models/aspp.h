// Atrous spatial pyramid pooling (Chen et al., "DeepLab", 2017, section 3.2 and Figure 7) on the shared ResNet:
// convolutions of several dilations straight to the classes, summed.
#pragma once

#include <memory>
#include <vector>

#include "models/trunk_parser.h"

namespace giza::models {

class Aspp : public TrunkParser {
 public:
  /// Throws ShapeError for options that fit no network.
  explicit Aspp(const NetworkOptions& options);

  /// With option aspp_msc the input is seen at scales 0.5 and 0.75, too (multi_scale.h): each class gets the largest of
  /// its three scores, at the size of the input's own. The auxiliary head sees the input alone. In training the streams
  /// are the scores at scales 1, 0.5 and 0.75, each of its own size.
  ParserOutput forward(const Variable& x, const layers::Context& context) const override;
  /// With streams: the sum of the cross-entropies of each and of the largest scores, at their own sizes and with labels
  /// resized to these, as kazuto1011 trains it.
  ParserLoss loss(const ParserOutput& output, const Labels& labels, const ops::CrossEntropyOptions& options,
                  double aux_weight) const override;

 protected:
  Variable scores(const Features& features, const layers::Context& context) const override;

 private:
  std::vector<std::unique_ptr<layers::Conv2d>> branches_;  // aspp.c0, aspp.c1, ..: kazuto1011's names
  bool multi_scale_;
};

/// The dilations of an architecture with option aspp_rates. Throws ShapeError for one below 1.
std::vector<int64_t> aspp_rates(const NetworkOptions& options, std::vector<int64_t> standard);
/// That option, which deeplabv3 has too.
SettingRow aspp_rates_setting();

/// Row of the factory.
Architecture aspp_architecture();

}  // namespace giza::models
