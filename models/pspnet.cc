// PSPNet: backbone, pyramid, heads.
#include "models/pspnet.h"

#include <algorithm>

#include "models/weights/shapes.h"
#include "tensor/base/check.h"
#include "tensor/profile/profile.h"

namespace giza::models {

using layers::Context;

Head::Head(int64_t in_channels, int64_t mid_channels, const PspnetOptions& options, Build& build)
    : conv_({.in = in_channels, .out = mid_channels, .kernel = 3}, layers::Init::default_uniform, build.next_random(),
            build.conv, build.bn_momentum),
      classify_({.in = mid_channels, .out = options.classes}, /*bias=*/true, layers::Init::default_uniform,
                build.next_random(), build.conv),
      dropout_(options.dropout),
      stream_(build.next_stream()),
      structured_(options.structured_head && options.align_corners && build.conv.backend == ConvBackend::native),
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
  if (context.training) {
    y = autograd::dropout2d(y, dropout_, Random(context.seed, Purpose::dropout, context.iteration, stream_));
  }
  return classify_.forward(y, context);
}

Pspnet::Pspnet(const PspnetOptions& options) : options_(options) {
  check(options.classes >= 1, "pspnet: {} classes", options.classes);
  Build build{.bn_momentum = options.backbone.bn_momentum, .conv = options.backbone.conv, .seed = options.seed};
  backbone_ = std::make_unique<Resnet>(options.backbone, build);
  for (int i = 0; i < 5; ++i) add_child("layer" + std::to_string(i), backbone_->stage(i));
  int64_t features = backbone_->layer4_channels();
  if (options.pyramid) {
    pyramid_ = std::make_unique<PyramidPooling>(features, options.bins, options.pool, options.reduce, build);
    add_child("ppm", *pyramid_);
    features = pyramid_->out_channels();
  }
  cls_ = std::make_unique<Head>(features, options.head(), options, build);
  add_child("cls", *cls_);
  if (options.aux) {
    aux_ = std::make_unique<Head>(backbone_->layer3_channels(), options.auxiliary_head(), options, build);
    add_child("aux", *aux_);
  }
}

ParserOutput Pspnet::forward(const Variable& x, const Context& context) const {
  check(x.value().rank() == 4 && x.value().channels() == 3, "pspnet: input {} is not [N,H,W,3]", x.shape());
  ParserOutput output;
  output.height = x.value().dim(1);
  output.width = x.value().dim(2);
  output.align_corners = options_.align_corners;
  Variable features = backbone_->to_layer3(x, context);
  // The auxiliary head before layer4: the sweep then comes to it after layer4, whose activations are free by then.
  if (aux_ && context.training) output.aux = aux_->forward(features, {}, context);
  features = backbone_->layer4(features, context);
  std::vector<Variable> maps;
  if (pyramid_) maps = pyramid_->forward(features, context);
  output.logits = cls_->forward(features, maps, context);
  return output;
}

NetworkOptions PspnetOptions::network() const {
  NetworkOptions options;
  static_cast<ParserOptions&>(options) = static_cast<const ParserOptions&>(*this);
  options.arch = pyramid ? "psp" : "baseline";
  options.settings = {{"bins", std::vector<int>(bins.begin(), bins.end())},
                      {"pool", pool == PyramidPool::max ? "max" : "average"},
                      {"ppm_reduce", reduce}};
  return options;
}

PspnetOptions::PspnetOptions(const NetworkOptions& options)
    : ParserOptions(static_cast<const ParserOptions&>(options)),
      pyramid(options.arch == "psp"),
      bins(options.integers("bins")),
      pool(options.word("pool") == "max" ? PyramidPool::max : PyramidPool::average),
      reduce(options.flag("ppm_reduce")) {}

namespace {

/// What the names and shapes of cls, ppm and aux tell.
bool infer_pspnet(const TensorShapes& shapes, const std::string& place, NetworkOptions* options) {
  options->classes = shapes.channels({"cls.4", "aux.4"});
  options->head_channels = shapes.channels({"cls.0", "cls.1"});
  check<Refusal>(options->classes > 0 && options->head_channels > 0,
                 "{}: cls.4 or cls.0 and cls.1 are missing, expected the head of a PSPNet", place);
  options->aux = shapes.any("aux.");
  if (options->aux) options->aux_channels = shapes.channels({"aux.0", "aux.1"});

  const int64_t features = options->backbone.out_channels();
  const int64_t input = std::max(shapes.inputs("cls.0.weight"), features), count = shapes.count("ppm.features.");
  const bool pyramid = count > 0 || input != features;
  options->arch = pyramid ? "psp" : "baseline";
  // Twice the features are also those of one bin without reduction, which only giza's own files have, and describe.
  const bool reduce = pyramid && (count > 0 || input == 2 * features);
  options->settings["ppm_reduce"] = reduce;
  if (!pyramid) return true;
  int64_t bins = input / features - 1;
  if (reduce) {
    std::vector<std::string> paths;
    for (int64_t i = 0; i < count; ++i) {
      paths.push_back(fmt::format("ppm.features.{}.1", i));
      paths.push_back(fmt::format("ppm.features.{}.2", i));
    }
    const int64_t channels = shapes.channels(paths);
    bins = channels > 0 ? features / channels : 4;
  }
  check<Refusal>(bins == 1 || bins == 4,
                 "{}: the pyramid has {} bins whose sizes the file does not tell; expected 1 or 4, or a description of "
                 "the network in the metadata",
                 place, bins);
  if (bins == 1) options->settings["bins"] = std::vector<int>{1};
  return true;
}

std::unique_ptr<SceneParser> make(const NetworkOptions& options) {
  return std::make_unique<Pspnet>(PspnetOptions(options));
}

const std::vector<SettingRow>& settings() {
  static const std::vector<SettingRow> rows = {
      {.name = "bins", .standard = std::vector<int>{1, 2, 3, 6}, .min = 1, .max = 64, .doc = "grids of the pyramid"},
      {.name = "pool", .standard = "average", .choices = "average|max", .doc = "pooling of the pyramid"},
      {.name = "ppm_reduce",
       .standard = true,
       .doc = "1x1 convolution after each pooling to channels / number of bins (the paper's DR)"}};
  return rows;
}

}  // namespace

Architecture pspnet_architecture() {
  return {"psp", "PSPNet", "PSPNet", settings(), {"ppm.", "cls.", "aux."}, make, infer_pspnet};
}

// The pyramid's options mean nothing without it; a configuration may switch between the two.
Architecture baseline_architecture() {
  return {"baseline", "baseline", "without the pyramid", settings(), {"cls.", "aux."}, make, nullptr};
}

}  // namespace giza::models
