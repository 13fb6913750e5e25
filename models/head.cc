// The head of PSPNet and of the baseline.
#include "models/head.h"

#include "models/pyramid_pooling.h"
#include "tensor/profile/profile.h"

namespace giza::models {

using layers::Context;

Head::Head(int64_t in_channels, int64_t mid_channels, const ParserOptions& options, Build& build, bool structured)
    : conv_({.in = in_channels, .out = mid_channels, .kernel = 3}, layers::Init::default_uniform, build.next_random(),
            build.conv, build.bn_momentum),
      classify_({.in = mid_channels, .out = options.classes}, /*bias=*/true, layers::Init::default_uniform,
                build.next_random(), build.conv),
      dropout_(options.dropout, build.next_stream()),
      structured_(structured && options.align_corners && build.conv.backend == ConvBackend::native),
      align_corners_(options.align_corners) {
  // 2 is the ReLU and 3 the dropout.
  add_child("0", conv_.conv);
  add_child("1", conv_.bn);
  add_child("4", classify_);
}

Variable Head::forward(const Variable& x, std::span<const Variable> maps, const Context& context) const {
  const profile::Layer layer(path());
  Variable y;
  if (maps.empty()) {
    y = conv_.forward(x, context, /*relu=*/true);
  } else if (structured_) {
    y = conv_.forward(x, maps, context);
  } else {
    y = conv_.forward(upsample_and_concat(x, maps, align_corners_), context, /*relu=*/true);
  }
  return classify_.forward(dropout_.of_channels(y, context), context);
}

}  // namespace giza::models
