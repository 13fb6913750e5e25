// DeepLab v3.
#include "models/deeplabv3.h"

#include "layers/dropout.h"
#include "models/aspp.h"
#include "models/weights/shapes.h"
#include "tensor/base/check.h"
#include "tensor/ops/batch_share.h"

namespace giza::models {

using layers::Context;
using layers::ConvBatchNorm;
using layers::Init;

class DeepLabV3::Aspp {
 public:
  Aspp(int64_t in, int64_t out, const std::vector<int64_t>& rates, const NetworkOptions& options, Build& build) {
    branches_.push_back(build.make_conv_bn({.in = in, .out = out}, Init::default_uniform));
    for (const int64_t rate : rates) {
      branches_.push_back(
          build.make_conv_bn({.in = in, .out = out, .kernel = 3, .dilation = rate}, Init::default_uniform));
    }
    mean_ = build.make_conv_bn({.in = in, .out = out}, Init::default_uniform);
    out_channels_ = (static_cast<int64_t>(branches_.size()) + 1) * out;
    if (options.flag("aspp_project")) {
      project_ = build.make_conv_bn({.in = out_channels_, .out = out}, Init::default_uniform);
      out_channels_ = out;
    }
    dropout_ = {options.dropout, build.next_stream()};
  }

  /// Calls add(name, layer) for each, in the order of torchvision's state_dict.
  template <class Add>
  void for_each_layer(const Add& add) {
    for (size_t i = 0; i < branches_.size(); ++i) {
      add(fmt::format("convs.{}.0", i), branches_[i]->conv);
      add(fmt::format("convs.{}.1", i), branches_[i]->bn);
    }
    // Its .0 is the mean.
    add(fmt::format("convs.{}.1", branches_.size()), mean_->conv);
    add(fmt::format("convs.{}.2", branches_.size()), mean_->bn);
    if (!project_) return;
    add("project.0", project_->conv);
    add("project.1", project_->bn);
  }

  Variable forward(const Variable& x, const Context& context) const {
    check(
        !context.training || ops::pictures_of_batch(x.value().dim(0)) > 1,
        "deeplabv3: the picture's mean has a single value per channel over a batch of 1, whose variance says nothing; "
        "use a larger batch");
    std::vector<Variable> maps;
    for (const auto& branch : branches_) maps.push_back(branch->forward(x, context, /*relu=*/true));
    const Variable mean = mean_->forward(autograd::adaptive_avg_pool2d(x, 1), context, /*relu=*/true);
    // From one pixel: the same everywhere.
    maps.push_back(autograd::resize_bilinear(mean, x.value().dim(1), x.value().dim(2), /*align_corners=*/true));
    const Variable all = autograd::concat_channels(maps);
    if (!project_) return all;
    return dropout_.of_elements(project_->forward(all, context, /*relu=*/true), context);
  }

  int64_t out_channels() const { return out_channels_; }
  bool projects() const { return project_ != nullptr; }
  /// The one in the head.
  const layers::Dropout& dropout() const { return dropout_; }

 private:
  std::vector<std::unique_ptr<ConvBatchNorm>> branches_;
  std::unique_ptr<ConvBatchNorm> mean_, project_;
  int64_t out_channels_ = 0;
  layers::Dropout dropout_;
};

namespace {

int64_t aspp_channels(const NetworkOptions& options) {
  const int64_t channels = options.integer("aspp_channels");
  return channels > 0 ? channels : options.backbone.scaled(256);
}

}  // namespace

DeepLabV3::DeepLabV3(const NetworkOptions& options) : TrunkParser(options) {
  const int64_t channels = aspp_channels(options);
  aspp_ = std::make_unique<Aspp>(trunk().channels(4), channels, aspp_rates(options, {12, 24, 36}), options, build());
  conv_ = build().make_conv_bn({.in = aspp_->out_channels(), .out = channels, .kernel = 3}, Init::default_uniform);
  classify_ = build().make_conv({.in = channels, .out = options.classes}, Init::default_uniform);
  aspp_->for_each_layer(
      [&](const std::string& name, layers::Module& layer) { add_child("classifier.0." + name, layer); });
  add_child("classifier.1", conv_->conv);
  add_child("classifier.2", conv_->bn);
  add_child("classifier.4", *classify_);
  add_auxiliary_head();
}

DeepLabV3::~DeepLabV3() = default;

Variable DeepLabV3::scores(const Features& features, const Context& context) const {
  Variable y = conv_->forward(aspp_->forward(features.layer4, context), context, /*relu=*/true);
  // Torchvision's dropout, of elements, is behind the projection, mmsegmentation's, of channels, before the classifier.
  if (!aspp_->projects()) y = aspp_->dropout().of_channels(y, context);
  return classify_->forward(y, context);
}

namespace {

bool infer_deeplabv3(const TensorShapes& shapes, const std::string& place, NetworkOptions* options) {
  if (!shapes.any("classifier.0.convs.")) return false;
  const int64_t branches = shapes.count("classifier.0.convs.");
  check<Refusal>(
      branches == 5,
      "{}: the pyramid has {} branches whose dilations the file does not tell; expected 5, or a description of "
      "the network in the metadata",
      place, branches);
  options->arch = "deeplabv3";
  options->classes = shapes.channels({"classifier.4"});
  options->settings["aspp_channels"] =
      static_cast<int>(shapes.channels({"classifier.0.convs.0.0", "classifier.0.project.0", "classifier.1"}));
  options->settings["aspp_project"] = shapes.any("classifier.0.project.");
  infer_auxiliary_head(shapes, options);
  return true;
}

}  // namespace

Architecture deeplabv3_architecture() {
  return {.name = "deeplabv3",
          .title = "DeepLab v3",
          .doc = "convolutions of several dilations and the picture's mean, concatenated",
          .settings = {aspp_rates_setting(),
                       {.name = "aspp_channels",
                        .standard = 0,
                        .min = 0,
                        .max = 65536,
                        .doc = "channels of each branch; 0: 256 times the width"},
                       {.name = "aspp_project",
                        .standard = true,
                        .doc = "1x1 convolution behind the branches (torchvision), or none (mmsegmentation)"}},
          .heads = {"classifier.", "aux."},
          .make = make_network<DeepLabV3>,
          .infer = infer_deeplabv3};
}

}  // namespace giza::models
