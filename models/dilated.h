// The dilated network (Yu and Koltun, ICLR 2016) on the shared ResNet: a front end that scores each feature, and the
// context module on its scores.
#pragma once

#include <memory>

#include "models/context_module.h"
#include "models/trunk_parser.h"

namespace giza::models {

class Dilated : public TrunkParser {
 public:
  /// Throws ShapeError for options that fit no network.
  explicit Dilated(const NetworkOptions& options);

 protected:
  Variable scores(const Features& features, const layers::Context& context) const override;

 private:
  std::unique_ptr<layers::Conv2d> final_;  // the front end's last layer, under the authors' name
  std::unique_ptr<ContextModule> context_;
};

/// The context module that the options ask for; null for none.
std::unique_ptr<ContextModule> make_context_module(const NetworkOptions& options, Build& build);

/// Row of the factory.
Architecture dilated_architecture();

}  // namespace giza::models
