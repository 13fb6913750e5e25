// Fully convolutional networks.
#include "models/fcn.h"

#include <algorithm>

#include "models/vgg_parsers.h"
#include "models/weights/shapes.h"
#include "tensor/base/check.h"

namespace giza::models {

using layers::Context;
using layers::Init;

namespace {

bool has_pool4(const std::string& arch) { return arch != "fcn32s"; }
bool has_pool3(const std::string& arch) { return arch == "fcn8s"; }

}  // namespace

Fcn::Fcn(const NetworkOptions& options) : TrunkParser(options, has_pool4(options.arch)) {
  // Section 4.3: the class scores start at zero.
  score_fr_ = build().make_conv({.in = trunk().channels(4), .out = options.classes}, Init::zero);
  add_child("score_fr", *score_fr_);
  const int64_t stride = options.backbone.output_stride;
  const bool scaled = options.flag("skip_scale");
  if (has_pool4(options.arch)) {
    pool4_ = make_skip(trunk().channels(3), scaled ? 0.01F : 1.0F, stride > 16);
    add_child("score_pool4", *pool4_->score);
    if (pool4_->enlarge) add_child("upscore2", *pool4_->enlarge);
  }
  if (has_pool3(options.arch)) {
    pool3_ = make_skip(trunk().channels(2), scaled ? 0.0001F : 1.0F, stride > 8);
    add_child("score_pool3", *pool3_->score);
    if (pool3_->enlarge) add_child("upscore_pool4", *pool3_->enlarge);
  }
  add_auxiliary_head();
}

std::unique_ptr<Fcn::Skip> Fcn::make_skip(int64_t channels, float scale, bool coarser) {
  const bool zero = options().word("skip_init") == "zero", learned = options().word("upsample") == "learned";
  auto skip = std::make_unique<Skip>();
  skip->score = build().make_conv({.in = channels, .out = options().classes}, zero ? Init::zero : Init::normal(0.01));
  skip->scale = scale;
  if (learned && coarser) {
    skip->enlarge =
        std::make_unique<layers::Deconv2d>(options().classes, /*kernel=*/4, /*stride=*/2, /*padding=*/1, build().conv);
  }
  return skip;
}

Variable Fcn::fuse(const Variable& coarse, const Variable& features, const Skip& skip, const Context& context) const {
  const Variable scaled = skip.scale == 1 ? features : autograd::scale(features, skip.scale);
  const Variable fine = skip.score->forward(scaled, context);
  const int64_t h = fine.value().dim(1), w = fine.value().dim(2);
  // A map of 4 becomes one of 8, where the skip's has 7 or 8 rows.
  const Variable enlarged = skip.enlarge ? autograd::crop2d(skip.enlarge->forward(coarse, /*learned=*/true), 0, 0, h, w)
                                         : autograd::resize_bilinear(coarse, h, w, options().align_corners);
  return autograd::add(enlarged, fine);
}

Variable Fcn::scores(const Features& features, const Context& context) const {
  Variable y = score_fr_->forward(features.layer4, context);
  if (pool4_) y = fuse(y, features.layer3, *pool4_, context);
  if (pool3_) y = fuse(y, features.layer2, *pool3_, context);
  return y;
}

namespace {

bool infer_fcn(const TensorShapes& shapes, const std::string& /*place*/, NetworkOptions* options) {
  if (!shapes.any("score_fr.")) return false;
  options->arch = shapes.any("score_pool3.") ? "fcn8s" : shapes.any("score_pool4.") ? "fcn16s" : "fcn32s";
  options->classes = shapes.channels({"score_fr", "score_pool4", "score_pool3"});
  // Its enlargements tell it where they are learned: pool4 doubles at once on a trunk of stride 16.
  options->backbone.output_stride = shapes.any("upscore_pool4.") && !shapes.any("upscore2.") ? 16 : 32;
  // On VGG16 a fixed enlargement is in the file too.
  if (shapes.any("upscore") && !shapes.any("conv1_1.")) options->settings["upsample"] = "learned";
  infer_vgg16(shapes, options);
  infer_auxiliary_head(shapes, options);
  return true;
}

const std::vector<SettingRow>& fcn_settings() {
  static const std::vector<SettingRow> rows = {
      backbone_setting(),
      {.name = "upsample",
       .standard = "fixed",
       .choices = "fixed|learned",
       .doc = "enlargement of coarse scores to finer ones: bilinear, or a transposed convolution that starts so"},
      {.name = "skip_init", .standard = "zero", .choices = "zero|normal", .doc = "start of the finer maps' scores"},
      {.name = "skip_scale",
       .standard = false,
       .doc = "layer3's features times 0.01 and layer2's times 0.0001 before their scores (FCN-8s at once)"}};
  return rows;
}

Architecture fcn_row(const char* name, const char* title, const char* doc) {
  return {.name = name,
          .title = title,
          .doc = doc,
          .settings = fcn_settings(),
          .heads = {"score_fr.", "score_pool4.", "score_pool3.", "upscore.", "upscore2.", "upscore16.",
                    "upscore_pool4.", "upscore8.", "aux."},
          .make = make_on_backbone<Fcn, FcnVgg>,
          .infer = infer_fcn,
          .output_stride = 32,
          .resnet = false};
}

}  // namespace

Architecture fcn32s_architecture() {
  return fcn_row("fcn32s", "FCN-32s", "scores of the last features, enlarged at once");
}
Architecture fcn16s_architecture() { return fcn_row("fcn16s", "FCN-16s", "fcn32s with the scores of layer3"); }
Architecture fcn8s_architecture() { return fcn_row("fcn8s", "FCN-8s", "fcn16s with the scores of layer2"); }

}  // namespace giza::models
