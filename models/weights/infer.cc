// Which network a file of weights belongs to.
#include "models/weights/infer.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <initializer_list>
#include <map>
#include <nlohmann/json.hpp>

#include "models/weights/naming.h"
#include "models/weights/state_dict.h"
#include "tensor/check.h"

namespace giza::models {

// Beside the enumerations, where the library looks for them.
NLOHMANN_JSON_SERIALIZE_ENUM(Stem, {{Stem::deep, "deep"}, {Stem::plain, "plain"}})
NLOHMANN_JSON_SERIALIZE_ENUM(BlockKind, {{BlockKind::bottleneck, "bottleneck"}, {BlockKind::basic, "basic"}})
NLOHMANN_JSON_SERIALIZE_ENUM(FirstBlockDilation,
                             {{FirstBlockDilation::full, "full"}, {FirstBlockDilation::half, "half"}})
NLOHMANN_JSON_SERIALIZE_ENUM(PyramidPool, {{PyramidPool::average, "average"}, {PyramidPool::max, "max"}})

namespace {

using Json = nlohmann::json;

// A file may be hostile: sizes beyond these would only serve to exhaust memory.
constexpr int64_t kMaxClasses = 65536, kMaxBlocks = 1000, kMaxBins = 64, kMaxChannels = 65536;
constexpr double kMaxWidth = 16;

/// Shapes by name, without the prefix "module.".
class Shapes {
 public:
  Shapes(const WeightFile& file, const std::string& place) : place_(place) {
    for (const WeightTensor& tensor : file.tensors) {
      const std::string& name = tensor.name;
      shapes_[name.starts_with("module.") ? name.substr(7) : name] = &tensor.shape;
    }
  }

  bool has(const std::string& name) const { return shapes_.contains(name); }

  /// Channels that come out of a module: the first size of any of these of its parameters. Several, because a file that
  /// lacks one is to be refused with a list of all that it lacks.
  int64_t channels(std::initializer_list<const char*> names) const {
    for (const char* name : names) {
      const auto found = shapes_.find(name);
      if (found != shapes_.end() && !found->second->empty()) return found->second->front();
    }
    throw Refusal(
        fmt::format("{}: {} are missing: these are not the weights of a PSPNet", place_, fmt::join(names, " and ")));
  }
  /// Channels that go into a convolution, weight [K,C,R,S]; 0 without it.
  int64_t inputs(const char* name) const {
    const auto found = shapes_.find(name);
    return found != shapes_.end() && found->second->size() == 4 ? (*found->second)[1] : 0;
  }

  /// One more than the largest number right after the prefix in any name; 0 if there is none.
  int64_t count(const std::string& prefix) const {
    int64_t count = 0;
    for (auto at = shapes_.lower_bound(prefix); at != shapes_.end() && at->first.starts_with(prefix); ++at) {
      const char* begin = at->first.data() + prefix.size();
      int64_t number = -1;
      const auto [end, error] = std::from_chars(begin, at->first.data() + at->first.size(), number);
      if (error == std::errc() && *end == '.') count = std::max(count, number + 1);
    }
    return count;
  }

 private:
  const std::string& place_;
  std::map<std::string, const std::vector<int64_t>*> shapes_;
};

void check_bounds(const PspnetOptions& options, const std::string& place) {
  bool ok = options.classes >= 1 && options.classes <= kMaxClasses && options.backbone.width > 0 &&
            options.backbone.stem_channels >= 1 && options.backbone.stem_channels <= kMaxChannels &&
            options.backbone.width <= kMaxWidth && options.head_channels >= 0 &&
            options.head_channels <= kMaxChannels && options.aux_channels >= 0 &&
            options.aux_channels <= kMaxChannels && options.bins.size() <= static_cast<size_t>(kMaxBins) &&
            options.dropout >= 0 && options.dropout < 1;
  for (const int64_t blocks : options.backbone.blocks) ok = ok && blocks >= 1 && blocks <= kMaxBlocks;
  for (const int64_t bin : options.bins) ok = ok && bin >= 1 && bin <= kMaxBins;
  check<Refusal>(ok, "{}: the description of the network has sizes out of range; is the file corrupt?", place);
}

/// Number of convolution weights of the network without its auxiliary head, in floating point: it cannot overflow.
double convolution_weights(const PspnetOptions& options) {
  const ResnetOptions& resnet = options.backbone;
  const bool deep = resnet.stem == Stem::deep, bottleneck = resnet.block == BlockKind::bottleneck;
  const auto scaled = [&](int64_t channels) { return static_cast<double>(resnet.scaled(channels)); };
  const double narrow = scaled(resnet.stem_channels);
  double in = static_cast<double>(resnet.stem_out());
  double sum = deep ? 27 * narrow + 9 * narrow * narrow + 9 * narrow * in : 147 * in;
  for (size_t i = 0; i < 4; ++i) {
    const double planes = scaled(int64_t{64} << i), out = bottleneck ? 4 * planes : planes;
    const auto block = [&](double from) {
      return bottleneck ? from * planes + 9 * planes * planes + planes * out : 9 * from * planes + 9 * planes * out;
    };
    sum += block(in) + static_cast<double>(resnet.blocks[i] - 1) * block(out);
    in = out;
  }
  const double features = in;
  const auto bins = static_cast<double>(options.bins.size());
  if (options.pyramid) {
    if (options.reduce) sum += features * std::floor(features / bins) * bins;
    in += options.reduce ? std::floor(features / bins) * bins : features * bins;
  }
  const double head =
      options.head_channels > 0 ? static_cast<double>(options.head_channels) : scaled(bottleneck ? 512 : 128);
  return sum + 9 * in * head + head * static_cast<double>(options.classes);
}

/// A few hundred hostile bytes could describe a network of terabytes: it must not be larger than the file itself.
void check_fits_file(const PspnetOptions& options, const WeightFile& file, const std::string& place) {
  double numbers = 0;
  for (const WeightTensor& tensor : file.tensors) numbers += static_cast<double>(tensor.data.size());
  const double needed = convolution_weights(options);
  // Twice, because a file that lacks some tensors is to be refused with their names.
  check<Refusal>(needed <= 2 * numbers,
                 "{}: the file's network has {:.0f} convolution weights or more, the file has {:.0f} "
                 "numbers; is it cut off?",
                 place, needed, numbers);
}

void infer_head(const Shapes& shapes, int64_t features, const std::string& place, PspnetOptions* options) {
  options->classes = shapes.channels({"cls.4.weight", "cls.4.bias"});
  options->head_channels = shapes.channels({"cls.0.weight", "cls.1.weight"});
  options->aux = shapes.count("aux.") > 0;
  if (options->aux) options->aux_channels = shapes.channels({"aux.0.weight", "aux.1.weight"});

  const int64_t bins_reduced = shapes.count("ppm.features.");
  options->reduce = bins_reduced > 0;
  const int64_t input = std::max(shapes.inputs("cls.0.weight"), features);
  options->pyramid = options->reduce || input != features;
  // Without reduction each bin adds all the features once more.
  const int64_t bins = options->reduce ? bins_reduced : input / features - 1;
  if (!options->pyramid) return;
  if (bins == 1) {
    options->bins = {1};
  } else {
    check<Refusal>(bins == 4,
                   "{}: the pyramid has {} bins whose sizes the file does not tell; expected 1 or 4, or "
                   "\"{}\" in the metadata",
                   place, bins, kModelKey);
  }
}

/// What the tensors of a ResNet tell of it, and the number of layer4's channels.
int64_t infer_backbone(const WeightFile& file, const Shapes& shapes, const std::string& place,
                       PspnetOptions* options_out) {
  PspnetOptions& options = *options_out;
  ResnetOptions& resnet = options.backbone;
  resnet.stem = shapes.count("layer0.") > 2 ? Stem::deep : Stem::plain;
  resnet.block =
      shapes.count("layer1.0.conv") > 3 || shapes.count("layer1.0.bn") > 3 ? BlockKind::bottleneck : BlockKind::basic;
  for (size_t i = 0; i < 4; ++i) {
    resnet.blocks[i] = shapes.count(fmt::format("layer{}.", i + 1));
  }
  // Channels are rounded up to multiples of 8; the widest layer gives a factor that rounds to the same everywhere.
  const int64_t planes = shapes.channels({"layer4.0.conv1.weight", "layer4.0.bn1.weight"});
  resnet.width = static_cast<double>(planes) / 512;
  const int64_t stem = shapes.channels({"layer0.0.weight", "layer0.1.weight"});
  if (resnet.stem == Stem::deep && resnet.width > 0 && stem != resnet.scaled(resnet.stem_channels)) {
    resnet.stem_channels = static_cast<int64_t>(std::round(static_cast<double>(stem) / resnet.width));
  }
  // What mmsegmentation does otherwise, unless its configuration says more.
  if (const auto found = file.metadata.find(kNamingKey);
      found != file.metadata.end() && found->second == to_string(Naming::mmseg)) {
    resnet.first_block = FirstBlockDilation::half;
    options.align_corners = false;
  }
  check_bounds(options, place);
  const int64_t features = planes * (resnet.block == BlockKind::bottleneck ? 4 : 1);
  check<Refusal>(features >= 1, "{}: layer4 has no channels", place);
  return features;
}

}  // namespace

std::string options_to_json(const PspnetOptions& options) {
  const ResnetOptions& resnet = options.backbone;
  Json json{{"blocks", resnet.blocks},
            {"block", resnet.block},
            {"stem", resnet.stem},
            {"width", resnet.width},
            {"first_block", resnet.first_block},
            {"output_stride", resnet.output_stride},
            {"bn_momentum", resnet.bn_momentum},
            {"classes", options.classes},
            {"pyramid", options.pyramid},
            {"bins", options.bins},
            {"pool", options.pool},
            {"reduce", options.reduce},
            {"head_channels", options.head_channels},
            {"aux_channels", options.aux_channels},
            {"dropout", options.dropout},
            {"aux", options.aux}};
  // Newer than the first files: only where they are not as these have them.
  if (resnet.stem_channels != ResnetOptions{}.stem_channels) json["stem_channels"] = resnet.stem_channels;
  if (!options.align_corners) json["align_corners"] = false;
  return json.dump();
}

PspnetOptions options_from_json(const std::string& json, const std::string& place) {
  PspnetOptions options;
  try {
    // Metadata is short; a parser's depth is bounded by its length.
    check<Refusal>(json.size() <= 65536, "{}: the description of the network is {} bytes long", place, json.size());
    const Json from = Json::parse(json);
    ResnetOptions& resnet = options.backbone;
    from.at("blocks").get_to(resnet.blocks);
    from.at("block").get_to(resnet.block);
    from.at("stem").get_to(resnet.stem);
    from.at("width").get_to(resnet.width);
    from.at("first_block").get_to(resnet.first_block);
    from.at("output_stride").get_to(resnet.output_stride);
    from.at("bn_momentum").get_to(resnet.bn_momentum);
    from.at("classes").get_to(options.classes);
    from.at("pyramid").get_to(options.pyramid);
    from.at("bins").get_to(options.bins);
    from.at("pool").get_to(options.pool);
    from.at("reduce").get_to(options.reduce);
    from.at("head_channels").get_to(options.head_channels);
    from.at("aux_channels").get_to(options.aux_channels);
    from.at("dropout").get_to(options.dropout);
    from.at("aux").get_to(options.aux);
    resnet.stem_channels = from.value("stem_channels", resnet.stem_channels);
    options.align_corners = from.value("align_corners", options.align_corners);
  } catch (const Json::exception& error) {
    throw Refusal(fmt::format("{}: \"{}\" in the metadata does not describe a network ({}); expected what giza writes",
                              place, kModelKey, error.what()));
  }
  // Catches what the enumerations would silently take for their first value.
  check<Refusal>(Json::parse(options_to_json(options)) == Json::parse(json),
                 "{}: \"{}\" in the metadata has unknown entries; was it written by a newer version?", place,
                 kModelKey);
  check_bounds(options, place);
  return options;
}

PspnetOptions options_from_weights(const WeightFile& file, const std::string& place) {
  if (const auto found = file.metadata.find(kModelKey); found != file.metadata.end()) {
    PspnetOptions options = options_from_json(found->second, place);
    check_fits_file(options, file, place);
    return options;
  }
  const Shapes shapes(file, place);
  PspnetOptions options;
  const int64_t features = infer_backbone(file, shapes, place, &options);
  infer_head(shapes, features, place, &options);
  check_bounds(options, place);
  check_fits_file(options, file, place);
  return options;
}

void check_backbone(const WeightFile& file, const std::string& place) {
  const Shapes shapes(file, place);
  PspnetOptions options;
  infer_backbone(file, shapes, place, &options);
  options.classes = options.head_channels = 1;
  options.pyramid = options.aux = false;
  check_fits_file(options, file, place);
  load_state_dict(Pspnet(options), file, place, {.backbone_only = true});
}

std::unique_ptr<Pspnet> load_pspnet(const std::string& path, const ConvEngine& conv) {
  const WeightFile file = read_semseg_weights(path);
  PspnetOptions options = options_from_weights(file, path);
  options.backbone.conv = conv;
  options.aux = false;  // used in training only
  std::unique_ptr<Pspnet> model;
  try {
    model = std::make_unique<Pspnet>(options);
  } catch (const ShapeError& error) {
    throw Refusal(fmt::format("{}: the file's network cannot be built: {}", path, error.what()));
  }
  load_state_dict(*model, file, path);
  return model;
}

}  // namespace giza::models
