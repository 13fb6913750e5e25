// VGG16's convolutions.
#include "models/vgg16.h"

#include "tensor/base/check.h"

namespace giza::models {

Vgg16::Vgg16(const Vgg16Options& options, Build& build) : options_(options) {
  check(options.width > 0 && options.width <= 16, "vgg16: width {} is not in (0, 16]", options.width);
  int64_t in = 3;
  for (size_t stage = 0; stage < 5; ++stage) {
    for (int i = 1; i <= kVgg16Convolutions[stage]; ++i) {
      const int64_t out = options.scaled(kVgg16Channels[stage]), dilation = stage == 4 ? options.dilation5 : 1;
      const layers::ConvShape shape{.in = in,
                                    .out = out,
                                    .kernel = 3,
                                    .dilation = dilation,
                                    .padding = layers_.empty() ? options.first_padding : options.padding * dilation};
      layers_.push_back({fmt::format("conv{}_{}", stage + 1, i), build.make_conv(shape, layers::Init::msra)});
      in = out;
    }
  }
}

Vgg16::Features Vgg16::forward(const Variable& x, const layers::Context& context) const {
  Features features;
  Variable y = x;
  auto next = layers_.begin();
  for (size_t stage = 0; stage < 5; ++stage) {
    for (int i = 0; i < kVgg16Convolutions[stage]; ++i, ++next) y = next->conv->forward_relu(y, context);
    if (options_.pooled[stage]) y = autograd::max_pool2d(y, options_.pools[stage]);
    if (stage == 2) features.pool3 = y;
    if (stage == 3) features.pool4 = y;
  }
  features.pool5 = y;
  return features;
}

}  // namespace giza::models
