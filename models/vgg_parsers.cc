// FCN, LargeFOV and the dilated network on VGG16.
#include "models/vgg_parsers.h"

#include "models/dilated.h"
#include "models/weights/shapes.h"
#include "tensor/base/check.h"

namespace giza::models {

using layers::Context;
using layers::Init;

VggParser::VggParser(const NetworkOptions& options, const Vgg16Options& vgg, const Fc& fc)
    : options_(options), build_(options.build()), vgg_(vgg, build_), fc_channels_(vgg.scaled(fc.channels)) {
  check(options.classes >= 1, "{}: {} classes", options.arch, options.classes);
  options_.aux = false;  // it has none
  for (const auto& layer : vgg_.layers()) add_child(layer.name, *layer.conv);
  fc6_ = build_.make_conv({.in = vgg_.out_channels(),
                           .out = fc_channels_,
                           .kernel = fc.kernel,
                           .dilation = fc.dilation,
                           .padding = fc.padding},
                          Init::msra);
  fc7_ = build_.make_conv({.in = fc_channels_, .out = fc_channels_}, Init::msra);
  dropout6_ = {options.dropout, build_.next_stream()};
  dropout7_ = {options.dropout, build_.next_stream()};
  add_child("fc6", *fc6_);
  add_child("fc7", *fc7_);
}

std::unique_ptr<layers::Conv2d> VggParser::add_score(const std::string& name, int64_t in, const Init& init) {
  auto score = build_.make_conv({.in = in, .out = options_.classes}, init);
  add_child(name, *score);
  return score;
}

std::vector<layers::ParameterGroup> VggParser::parameter_groups(double new_layer_factor) const {
  layers::ParameterGroup vgg, rest{.rate_factor = new_layer_factor};
  for (layers::NamedParameter& parameter : parameters()) {
    const bool of_vgg =
        !is_new_layer(parameter.name) || parameter.name.starts_with("fc6.") || parameter.name.starts_with("fc7.");
    (of_vgg ? vgg : rest).parameters.push_back(std::move(parameter));
  }
  return {std::move(vgg), std::move(rest)};
}

Variable VggParser::fc7(const Variable& pool5, const Context& context) const {
  const Variable y = dropout6_.of_elements(fc6_->forward_relu(pool5, context), context);
  return dropout7_.of_elements(fc7_->forward_relu(y, context), context);
}

ParserOutput VggParser::forward(const Variable& x, const Context& context) const {
  ParserOutput output = output_for(x, options_);
  output.logits = scores(x, context);
  return output;
}

namespace {

constexpr ops::Pool2dOptions kHalf = {.kernel = 2, .stride = 2, .padding = 0, .ceil = true};

Vgg16Options fcn_vgg(const NetworkOptions& options) {
  return {.width = options.backbone.width, .first_padding = 100, .pools = {kHalf, kHalf, kHalf, kHalf, kHalf}};
}

}  // namespace

FcnVgg::FcnVgg(const NetworkOptions& options)
    : VggParser(options, fcn_vgg(options), {.channels = 4096, .kernel = 7, .dilation = 1, .padding = 0}),
      learned_(options.word("upsample") == "learned"),
      scaled_(options.flag("skip_scale")) {
  const Vgg16Options vgg = fcn_vgg(options);
  const Init skip = options.word("skip_init") == "zero" ? Init::zero : Init::normal(0.01);
  score_fr_ = add_score("score_fr", fc_channels(), Init::zero);
  if (options.arch != "fcn32s") {
    score_pool4_ = add_score("score_pool4", vgg.scaled(512), skip);
    upscore2_ = add_deconv("upscore2", 2);
  }
  if (options.arch == "fcn8s") {
    score_pool3_ = add_score("score_pool3", vgg.scaled(256), skip);
    upscore_pool4_ = add_deconv("upscore_pool4", 2);
  }
  upscore_ = options.arch == "fcn32s"   ? add_deconv("upscore", 32)
             : options.arch == "fcn16s" ? add_deconv("upscore16", 16)
                                        : add_deconv("upscore8", 8);
}

std::unique_ptr<layers::Deconv2d> FcnVgg::add_deconv(const std::string& name, int64_t stride) {
  auto deconv = std::make_unique<layers::Deconv2d>(options().classes, 2 * stride, stride, 0, build().conv);
  add_child(name, *deconv);
  return deconv;
}

// The crops are the authors' (voc-fcn*/net.py): what the borders of 100 and the filters leave over on each side.
Variable FcnVgg::scores(const Variable& x, const Context& context) const {
  const Vgg16::Features features = vgg().forward(x, context);
  const auto skip = [&](const layers::Conv2d& score, const Variable& pool, float factor) {
    return score.forward(scaled_ ? autograd::scale(pool, factor) : pool, context);
  };
  // Scores of a finer pooling, cut to where the coarser ones reach, and these enlarged.
  const auto fuse = [&](const Variable& y, const layers::Deconv2d& by, const Variable& fine, int64_t corner) {
    const Variable wide = by.forward(y, learned_);
    return autograd::add(wide, autograd::crop2d(fine, corner, corner, wide.value().dim(1), wide.value().dim(2)));
  };
  Variable y = score_fr_->forward(fc7(features.pool5, context), context);
  if (score_pool4_) y = fuse(y, *upscore2_, skip(*score_pool4_, features.pool4, 0.01F), 5);
  if (score_pool3_) y = fuse(y, *upscore_pool4_, skip(*score_pool3_, features.pool3, 0.0001F), 9);
  // Section 4.2: the steps to twice the size may be learned, the one to the picture is fixed.
  const int64_t corner = score_pool3_ ? 31 : score_pool4_ ? 27 : 19;
  return autograd::crop2d(upscore_->forward(y, /*learned=*/false), corner, corner, x.value().dim(1), x.value().dim(2));
}

std::vector<layers::ParameterGroup> FcnVgg::parameter_groups(double new_layer_factor) const {
  std::vector<layers::ParameterGroup> groups = VggParser::parameter_groups(new_layer_factor);
  for (layers::ParameterGroup& group : groups) {
    std::erase_if(group.parameters, [&](const layers::NamedParameter& parameter) {
      const bool learned =
          learned_ && (parameter.name == "upscore2.weight" || parameter.name == "upscore_pool4.weight");
      return parameter.name.starts_with("upscore") && !learned;
    });
  }
  return groups;
}

namespace {

constexpr ops::Pool2dOptions kWide = {.kernel = 3, .stride = 2, .padding = 1, .ceil = true};
constexpr ops::Pool2dOptions kInPlace = {.kernel = 3, .stride = 1, .padding = 1};

}  // namespace

LargeFovVgg::LargeFovVgg(const NetworkOptions& options)
    : VggParser(options,
                {.width = options.backbone.width, .pools = {kWide, kWide, kWide, kInPlace, kInPlace}, .dilation5 = 2},
                {.channels = 1024,
                 .kernel = 3,
                 .dilation = options.integer("fov_rate"),
                 .padding = layers::ConvShape::kSame}) {
  fc8_ = add_score("fc8", fc_channels(), Init::normal(0.01));
}

Variable LargeFovVgg::scores(const Variable& x, const Context& context) const {
  const Variable pool5a = autograd::avg_pool2d(vgg().forward(x, context).pool5, kInPlace);
  return fc8_->forward(fc7(pool5a, context), context);
}

DilatedVgg::DilatedVgg(const NetworkOptions& options)
    : VggParser(options,
                {.width = options.backbone.width,
                 .first_padding = 0,
                 .padding = 0,
                 .pools = {kHalf, kHalf, kHalf, kHalf, kHalf},
                 .pooled = {true, true, true, false, false},
                 .dilation5 = 2},
                {.channels = 4096, .kernel = 7, .dilation = 4, .padding = 0}) {
  final_ = add_score("final", fc_channels(), Init::normal(0.001));
  context_ = make_context_module(options, build());
  if (!context_) return;
  for (const auto& layer : context_->layers()) add_child(layer.name, *layer.conv);
}

Variable DilatedVgg::scores(const Variable& x, const Context& context) const {
  constexpr int64_t kBorder = 186;  // what the convolutions take off each side
  const Variable pool5 = vgg().forward(autograd::mirror_pad2d(x, kBorder), context).pool5;
  const Variable front = final_->forward(fc7(pool5, context), context);
  return context_ ? context_->forward(front, context) : front;
}

SettingRow backbone_setting() {
  return {.name = "backbone",
          .standard = "resnet",
          .choices = "resnet|vgg16",
          .doc = "the shared trunk, or VGG16 with the published borders and poolings"};
}

void infer_vgg16(const TensorShapes& shapes, NetworkOptions* options) {
  if (!shapes.any("conv1_1.")) return;
  options->settings["backbone"] = "vgg16";
  options->backbone.width = static_cast<double>(shapes.channels({"conv5_1", "conv5_2", "conv5_3"})) / 512;
}

}  // namespace giza::models
