// Atrous spatial pyramid pooling (Chen et al., "DeepLab", 2017, section 3.2 and Figure 7) on the shared ResNet: convolutions
// of several dilations straight to the classes, summed.
#pragma once

#include <memory>
#include <vector>

#include "models/trunk_parser.h"

namespace giza::models {

class Aspp : public TrunkParser {
 public:
  /// Throws ShapeError for options that fit no network.
  explicit Aspp(const NetworkOptions& options);

 protected:
  Variable scores(const Features& features, const layers::Context& context) const override;

 private:
  std::vector<std::unique_ptr<layers::Conv2d>> branches_;  // aspp.c0, aspp.c1, ..: kazuto1011's names
};

/// The dilations of an architecture with option aspp_rates. Throws ShapeError for one below 1.
std::vector<int64_t> aspp_rates(const NetworkOptions& options, std::vector<int64_t> standard);
/// That option, which deeplabv3 has too.
SettingRow aspp_rates_setting();

/// Row of the factory.
Architecture aspp_architecture();

}  // namespace giza::models
