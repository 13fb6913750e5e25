// DeepLab-LargeFOV.
#include "models/largefov.h"

#include "models/vgg_parsers.h"
#include "models/weights/shapes.h"

namespace giza::models {

using layers::Context;
using layers::Init;

LargeFov::LargeFov(const NetworkOptions& options) : TrunkParser(options) {
  // The paper's 1024 beside the 512 of a wide trunk's head.
  const int64_t channels = 2 * options.head(), rate = options.integer("fov_rate");
  fc6_ = build().make_conv({.in = trunk().channels(4), .out = channels, .kernel = 3, .dilation = rate}, Init::msra);
  fc7_ = build().make_conv({.in = channels, .out = channels}, Init::msra);
  fc8_ = build().make_conv({.in = channels, .out = options.classes}, Init::normal(0.01));
  dropout6_ = {options.dropout, build().next_stream()};
  dropout7_ = {options.dropout, build().next_stream()};
  add_child("fc6", *fc6_);
  add_child("fc7", *fc7_);
  add_child("fc8", *fc8_);
  add_auxiliary_head();
}

Variable LargeFov::scores(const Features& features, const Context& context) const {
  Variable y = dropout6_.of_elements(fc6_->forward_relu(features.layer4, context), context);
  y = dropout7_.of_elements(fc7_->forward_relu(y, context), context);
  return fc8_->forward(y, context);
}

namespace {

bool infer_largefov(const TensorShapes& shapes, const std::string& /*place*/, NetworkOptions* options) {
  if (!shapes.any("fc6.") || !shapes.any("fc8.")) return false;
  options->arch = "largefov";
  options->classes = shapes.channels({"fc8"});
  options->head_channels = shapes.channels({"fc6", "fc7"}) / 2;
  infer_vgg16(shapes, options);
  infer_auxiliary_head(shapes, options);
  return true;
}

}  // namespace

Architecture largefov_architecture() {
  return {.name = "largefov",
          .title = "DeepLab-LargeFOV",
          .doc = "one convolution of a large dilation, then two of 1x1",
          .settings = {backbone_setting(),
                       {.name = "fov_rate",
                        .standard = 12,
                        .min = 1,
                        .max = 256,
                        .doc = "dilation of fc6 (a map of 41 cells: 12; of 13: 4)"}},
          .heads = {"fc6.", "fc7.", "fc8.", "aux."},
          .make = make_on_backbone<LargeFov, LargeFovVgg>,
          .infer = infer_largefov,
          .resnet = false};
}

}  // namespace giza::models
