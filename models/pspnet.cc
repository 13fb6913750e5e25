// PSPNet: backbone, pyramid, heads.
#include "models/pspnet.h"

#include <algorithm>

#include "models/weights/shapes.h"
#include "tensor/base/check.h"

namespace giza::models {

Pspnet::Pspnet(const PspnetOptions& options) : TrunkParser(options.network()) {
  int64_t features = trunk().channels(4);
  if (options.pyramid) {
    pyramid_ = std::make_unique<PyramidPooling>(features, options.bins, options.pool, options.reduce, build());
    add_child("ppm", *pyramid_);
    features = pyramid_->out_channels();
  }
  cls_ = std::make_unique<Head>(features, options.head(), options, build(), options.structured_head);
  add_child("cls", *cls_);
  add_auxiliary_head();
}

Variable Pspnet::features(const Variable& x, const layers::Context& context) const {
  return trunk().layer4(trunk().layer3(trunk().to_layer2(x, context), context), context);
}

std::vector<Variable> Pspnet::maps(const Variable& features, const layers::Context& context) const {
  return pyramid_ ? pyramid_->forward(features, context) : std::vector<Variable>();
}

Variable Pspnet::scores(const Features& features, const layers::Context& context) const {
  return cls_->forward(features.layer4, maps(features.layer4, context), context);
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
  // An auxiliary head of another number is left out of a test, and refused by name in all else.
  options->classes = shapes.channels({"cls.4"});
  if (options->classes == 0) options->classes = shapes.channels({"aux.4"});
  options->head_channels = shapes.channels({"cls.0", "cls.1"});
  check<Refusal>(options->classes > 0 && options->head_channels > 0,
                 "{}: cls.4 or cls.0 and cls.1 are missing, expected the head of a PSPNet", place);
  infer_auxiliary_head(shapes, options);

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
    if (input == features + count * channels) bins = count;  // not cut off, but of so many
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

const std::vector<SettingRow>& pspnet_settings() {
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
  return {"psp", "PSPNet", "PSPNet", pspnet_settings(), {"ppm.", "cls.", "aux."}, make, infer_pspnet};
}

// The pyramid's options mean nothing without it; a configuration may switch between the two.
Architecture baseline_architecture() {
  return {"baseline", "baseline", "without the pyramid", pspnet_settings(), {"cls.", "aux."}, make, nullptr};
}

}  // namespace giza::models
