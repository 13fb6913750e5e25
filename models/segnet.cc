// SegNet.
#include "models/segnet.h"

#include "models/trunk_parser.h"
#include "models/vgg16.h"
#include "models/weights/shapes.h"
#include "tensor/base/check.h"

namespace giza::models {

using layers::Context;

namespace {

constexpr ops::Pool2dOptions kPool = {.kernel = 2, .stride = 2, .padding = 0, .ceil = true};

}  // namespace

void Segnet::add_layers(Layers* to, const std::vector<std::string>& names, int64_t in, const std::vector<int64_t>& out,
                        Build& build) {
  for (size_t i = 0; i < names.size(); ++i) {
    to->push_back(build.make_conv_bn({.in = in, .out = out[i], .kernel = kernel_}, layers::Init::msra));
    add_child(names[i], to->back()->conv);
    add_child(names[i] + "_bn", to->back()->bn);
    in = out[i];
  }
}

Segnet::Segnet(const NetworkOptions& options)
    : options_(options), basic_(options.flag("segnet_basic")), kernel_(basic_ ? 7 : 3) {
  options_.aux = false;  // it has none
  check(options.classes >= 1, "segnet: {} classes", options.classes);
  check(options.backbone.width > 0 && options.backbone.width <= 16, "segnet: width {} is not in (0, 16]",
        options.backbone.width);
  Build build = options.build();
  const size_t poolings = basic_ ? 4 : 5;
  std::vector<int64_t> channels;
  for (size_t i = 0; i < poolings; ++i) channels.push_back(options.backbone.scaled(basic_ ? 64 : kVgg16Channels[i]));

  int64_t in = 3;
  for (size_t i = 0; i < poolings; ++i) {
    std::vector<std::string> names;
    if (basic_) {
      names.push_back(fmt::format("conv{}", i + 1));
    } else {
      for (int j = 1; j <= kVgg16Convolutions[i]; ++j) names.push_back(fmt::format("conv{}_{}", i + 1, j));
    }
    add_layers(&encoder_.emplace_back(), names, in, std::vector<int64_t>(names.size(), channels[i]), build);
    in = channels[i];
  }
  for (size_t i = poolings; i-- > 0;) {
    // The last convolution of a step goes to the channels of the next, and the very last to the classes.
    std::vector<std::string> names;
    std::vector<int64_t> out;
    if (basic_) {
      names.push_back(fmt::format("conv_decode{}", i + 1));
      out.push_back(channels[i]);
    } else {
      for (int j = kVgg16Convolutions[i]; j >= 1 && (i > 0 || j > 1); --j) {
        names.push_back(fmt::format("conv{}_{}_D", i + 1, j));
        out.push_back(j > 1 ? channels[i] : channels[i - 1]);
      }
    }
    add_layers(&decoder_.emplace_back(), names, in, out, build);
    in = out.back();
  }
  const layers::ConvShape last{.in = in, .out = options.classes, .kernel = basic_ ? 1 : 3};
  classify_ = build.make_conv(last, layers::Init::msra);
  add_child(basic_ ? "conv_classifier" : "conv1_1_D", *classify_);
}

ParserOutput Segnet::forward(const Variable& x, const Context& context) const {
  ParserOutput output = output_for(x, options_);
  struct Pooling {
    Tensor positions;
    int64_t h, w;  // before it
  };
  std::vector<Pooling> poolings;
  Variable y = x;
  for (const Layers& stage : encoder_) {
    for (const auto& conv : stage) y = conv->forward(y, context, /*relu=*/true);
    const int64_t h = y.value().dim(1), w = y.value().dim(2);
    const autograd::MaxPooled pooled = autograd::max_pool2d_with_positions(y, kPool);
    poolings.push_back({pooled.positions, h, w});
    y = pooled.y;
  }
  for (const Layers& stage : decoder_) {
    // To the size that the encoder had there, which need not be twice the map's.
    y = autograd::max_unpool2d(y, poolings.back().positions, poolings.back().h, poolings.back().w, kPool);
    poolings.pop_back();
    // SegNet-Basic's decoder has no ReLU.
    for (const auto& conv : stage) y = conv->forward(y, context, /*relu=*/!basic_);
  }
  output.logits = classify_->forward(y, context);
  return output;
}

namespace {

bool infer_segnet(const TensorShapes& shapes, const std::string& /*place*/, NetworkOptions* options) {
  const bool basic = shapes.any("conv_decode1.");
  if (!basic && !shapes.any("conv5_3_D.")) return false;
  options->arch = "segnet";
  options->settings["segnet_basic"] = basic;
  options->classes = shapes.channels({basic ? "conv_classifier" : "conv1_1_D"});
  options->backbone.width = static_cast<double>(shapes.channels({basic ? "conv4" : "conv5_3"})) / (basic ? 64 : 512);
  options->aux = false;
  return true;
}

}  // namespace

Architecture segnet_architecture() {
  return {
      .name = "segnet",
      .title = "SegNet",
      .doc = "encoder and decoder of their own, which share where the maxima were",
      .settings = {{.name = "segnet_basic",
                    .standard = false,
                    .doc = "SegNet-Basic: four poolings, one convolution of 7x7 and 64 channels for each"}},
      .heads = {"conv5_3_D", "conv5_2_D", "conv5_1_D", "conv4_3_D", "conv4_2_D", "conv4_1_D", "conv3_3_D", "conv3_2_D",
                "conv3_1_D", "conv2_2_D", "conv2_1_D", "conv1_2_D", "conv1_1_D", "conv_decode", "conv_classifier."},
      .make = make_network<Segnet>,
      .infer = infer_segnet,
      .resnet = false};
}

}  // namespace giza::models
