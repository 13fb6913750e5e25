// mmsegmentation's FCN head.
#include "models/fcn_head.h"

#include "models/weights/shapes.h"
#include "tensor/base/check.h"

namespace giza::models {

FcnHead::FcnHead(const NetworkOptions& options) : TrunkParser(options) {
  const int64_t count = options.integer("head_convs");
  int64_t channels = trunk().channels(4);
  for (int64_t i = 0; i < count; ++i) {
    convs_.push_back(
        build().make_conv_bn({.in = channels, .out = options.head(), .kernel = 3}, layers::Init::default_uniform));
    channels = options.head();
    add_child(fmt::format("cls.convs.{}.0", i), convs_.back()->conv);
    add_child(fmt::format("cls.convs.{}.1", i), convs_.back()->bn);
  }
  cls_ = std::make_unique<Head>(trunk().channels(4) + channels, options.head(), options, build());
  add_child("cls", *cls_);
  add_auxiliary_head();
}

Variable FcnHead::scores(const Features& features, const layers::Context& context) const {
  Variable y = features.layer4;
  for (const auto& conv : convs_) y = conv->forward(y, context, /*relu=*/true);
  return cls_->forward(autograd::concat_channels(std::vector<Variable>{features.layer4, y}), {}, context);
}

namespace {

bool infer_fcn_head(const TensorShapes& shapes, const std::string& place, NetworkOptions* options) {
  const int64_t count = shapes.count("cls.convs.");
  if (count == 0) return false;
  options->arch = "fcn";
  options->classes = shapes.channels({"cls.4", "aux.4"});
  options->head_channels = shapes.channels({"cls.0", "cls.1", "cls.convs.0.0", "cls.convs.0.1"});
  check<Refusal>(options->classes > 0 && options->head_channels > 0,
                 "{}: cls.4 is missing, expected the head of an FCN", place);
  options->settings["head_convs"] = static_cast<int>(count);
  infer_auxiliary_head(shapes, options);
  return true;
}

}  // namespace

Architecture fcn_head_architecture() {
  return {.name = "fcn",
          .title = "FCN head",
          .doc = "mmsegmentation's: 3x3 convolutions, and one that sees their result beside the features",
          .settings = {{.name = "head_convs",
                        .standard = 2,
                        .min = 1,
                        .max = 8,
                        .doc = "3x3 convolutions before the one that sees their result beside the features"}},
          .heads = {"cls.", "aux."},
          .make = make_network<FcnHead>,
          .infer = infer_fcn_head};
}

}  // namespace giza::models
