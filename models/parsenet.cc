// ParseNet.
#include "models/parsenet.h"

#include <array>

#include "models/weights/shapes.h"

namespace giza::models {

using layers::Context;

ParseNet::ParseNet(const NetworkOptions& options) : TrunkParser(options) {
  const int64_t channels = trunk().channels(4);
  if (options.flag("l2norm")) {
    const auto gain = static_cast<float>(options.number("norm_scale"));
    local_norm_ = std::make_unique<layers::L2Norm>(channels, gain);
    global_norm_ = std::make_unique<layers::L2Norm>(channels, gain);
    add_child("local_norm", *local_norm_);
    add_child("global_norm", *global_norm_);
  }
  if (options.word("fusion") == "late") {
    const layers::ConvShape shape{.in = channels, .out = options.classes};
    local_score_ = build().make_conv(shape, layers::Init::normal(0.01));
    global_score_ = build().make_conv(shape, layers::Init::normal(0.01));
    add_child("local_score", *local_score_);
    add_child("global_score", *global_score_);
  } else {
    cls_ = std::make_unique<Head>(2 * channels, options.head(), options, build());
    add_child("cls", *cls_);
  }
  dropout_ = {options.dropout, build().next_stream()};
  add_auxiliary_head();
}

Variable ParseNet::scores(const Features& features, const Context& context) const {
  const Variable& x = features.layer4;
  const int64_t h = x.value().dim(1), w = x.value().dim(2);
  const Variable local = local_norm_ ? local_norm_->forward(x) : x;
  Variable global = autograd::adaptive_avg_pool2d(x, 1);
  if (global_norm_) global = global_norm_->forward(global);
  global = dropout_.of_elements(global, context);
  if (cls_) return cls_->forward(local, std::array{global}, context);
  const Variable everywhere = autograd::resize_bilinear(global_score_->forward(global, context), h, w, true);
  return autograd::add(local_score_->forward(local, context), everywhere);
}

namespace {

bool infer_parsenet(const TensorShapes& shapes, const std::string& /*place*/, NetworkOptions* options) {
  const bool late = shapes.any("local_score."), norm = shapes.any("local_norm.");
  if (!late && !norm) return false;  // early fusion without the norm: a PSPNet of one bin
  options->arch = "parsenet";
  options->settings["fusion"] = late ? "late" : "early";
  options->settings["l2norm"] = norm;
  options->classes = shapes.channels({late ? "local_score" : "cls.4"});
  if (!late) options->head_channels = shapes.channels({"cls.0", "cls.1"});
  infer_auxiliary_head(shapes, options);
  return true;
}

}  // namespace

Architecture parsenet_architecture() {
  return {.name = "parsenet",
          .title = "ParseNet",
          .doc = "each feature beside the mean of all, both normalised",
          .settings = {{.name = "fusion",
                        .standard = "late",
                        .choices = "late|early",
                        .doc = "sum of the scores of both, or scores of both together"},
                       {.name = "l2norm", .standard = true, .doc = "L2 norm with a learned gain before they meet"},
                       {.name = "norm_scale", .standard = 10.0, .min = 0, .max = 1e6, .doc = "the gain at the start"}},
          .heads = {"local_norm.", "global_norm.", "local_score.", "global_score.", "cls.", "aux."},
          .make = make_network<ParseNet>,
          .infer = infer_parsenet};
}

}  // namespace giza::models
