// The context module.
#include "models/context_module.h"

#include "tensor/base/check.h"

namespace giza::models {

ContextModule::ContextModule(const ContextOptions& options, Build& build) {
  const int64_t classes = options.classes;
  check(options.layers == 7 || options.layers == 8 || options.layers == 10,
        "context module: {} layers, expected 7, 8 or 10; set TRAIN.context_layers", options.layers);
  int64_t in = classes;
  const auto add = [&](const std::string& name, int64_t out, int64_t kernel, int64_t dilation) {
    // Eq. 5's noise breaks the tie between channels that begin alike; where every class has one channel, there is none.
    const layers::Init init = options.identity ? layers::Init::identity(classes, in == out && in == classes ? 0 : 0.01)
                                               : layers::Init::normal(0.01);
    layers_.push_back({name, build.make_conv({.in = in, .out = out, .kernel = kernel, .dilation = dilation}, init)});
    in = out;
  };
  // Table 1: dilations 1, 1, 2, 4, .., then one 3x3 of dilation 1 and one 1x1.
  const int64_t dilated = options.layers - 3;
  add("ctx_conv1_1", options.large ? 2 * classes : classes, 3, 1);
  for (int64_t i = 1, dilation = 1; i <= dilated; ++i, dilation *= 2) {
    const int64_t wide = std::min<int64_t>(2 * dilation, 32) * classes;
    const std::string name = i == 1 ? "ctx_conv1_2" : "ctx_conv" + std::to_string(i) + "_1";
    add(name, options.large ? wide : classes, 3, dilation);
  }
  add("ctx_fc1", in, 3, 1);
  add("ctx_final", classes, 1, 1);
}

Variable ContextModule::forward(const Variable& scores, const layers::Context& context) const {
  Variable y = scores;
  for (size_t i = 0; i + 1 < layers_.size(); ++i) y = layers_[i].conv->forward_relu(y, context);
  return layers_.back().conv->forward(y, context);
}

}  // namespace giza::models
