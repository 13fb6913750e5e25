// The dilated network.
#include "models/dilated.h"

#include "models/vgg_parsers.h"
#include "models/weights/shapes.h"

namespace giza::models {

std::unique_ptr<ContextModule> make_context_module(const NetworkOptions& options, Build& build) {
  const std::string& kind = options.word("context");
  if (kind == "none") return nullptr;
  const ContextOptions context{.classes = options.classes,
                               .large = kind == "large",
                               .layers = options.integer("context_layers"),
                               .identity = options.word("context_init") == "identity"};
  return std::make_unique<ContextModule>(context, build);
}

Dilated::Dilated(const NetworkOptions& options) : TrunkParser(options) {
  final_ = build().make_conv({.in = trunk().channels(4), .out = options.classes}, layers::Init::normal(0.001));
  add_child("final", *final_);
  context_ = make_context_module(options, build());
  if (context_) {
    for (const auto& layer : context_->layers()) add_child(layer.name, *layer.conv);
  }
  add_auxiliary_head();
}

Variable Dilated::scores(const Features& features, const layers::Context& context) const {
  const Variable front = final_->forward(features.layer4, context);
  return context_ ? context_->forward(front, context) : front;
}

namespace {

bool infer_dilated(const TensorShapes& shapes, const std::string& /*place*/, NetworkOptions* options) {
  if (!shapes.any("final.")) return false;
  options->arch = "dilated";
  options->classes = shapes.channels({"final"});
  if (!shapes.any("ctx_")) {
    options->settings["context"] = "none";
  } else {
    if (shapes.channels({"ctx_conv1_1"}) != options->classes) options->settings["context"] = "large";
    options->settings["context_layers"] = shapes.any("ctx_conv7_1.") ? 10 : shapes.any("ctx_conv5_1.") ? 8 : 7;
  }
  infer_vgg16(shapes, options);
  infer_auxiliary_head(shapes, options);
  return true;
}

}  // namespace

Architecture dilated_architecture() {
  return {.name = "dilated",
          .title = "DilatedNet",
          .doc = "the front end's scores through the context module",
          .settings = {backbone_setting(),
                       {.name = "context",
                        .standard = "basic",
                        .choices = "basic|large|none",
                        .doc = "context module: one channel for each class, up to 32, or only the front end"},
                       {.name = "context_layers",
                        .standard = 8,
                        .min = 7,
                        .max = 10,
                        .doc = "its layers: 7, 8 or 10, for a receptive field of 35, 67 or 259 cells"},
                       {.name = "context_init",
                        .standard = "identity",
                        .choices = "identity|normal",
                        .doc = "its start: the identity, or N(0, 0.01)"}},
          .heads = {"final.", "ctx_", "aux."},
          .make = make_on_backbone<Dilated, DilatedVgg>,
          .infer = infer_dilated,
          .resnet = false};
}

}  // namespace giza::models
