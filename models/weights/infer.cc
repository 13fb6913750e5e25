// Which network a file of weights belongs to.
#include "models/weights/infer.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "models/weights/naming.h"
#include "models/weights/state_dict.h"
#include "tensor/base/check.h"

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

  /// Channels that come out of the modules below these paths: what most of their tensors say, for one that is missing or
  /// misshaped is to be refused by its own name. Each path is that of a convolution or a batch norm. 0 if none is there.
  int64_t channels(const std::vector<std::string>& paths) const {
    std::map<int64_t, int> votes;
    for (const std::string& path : paths) {
      for (const char* name : {".weight", ".bias", ".running_mean", ".running_var"}) {
        const auto found = shapes_.find(path + name);
        if (found == shapes_.end()) continue;
        const std::vector<int64_t>& shape = *found->second;
        if (shape.size() == 4 || shape.size() == 1) ++votes[shape.front()];
      }
    }
    const auto most =
        std::max_element(votes.begin(), votes.end(), [](const auto& x, const auto& y) { return x.second < y.second; });
    return most == votes.end() ? 0 : most->first;
  }
  /// Channels that go into a convolution, weight [K,C,R,S]; 0 without it.
  int64_t inputs(const char* name) const {
    const auto found = shapes_.find(name);
    return found != shapes_.end() && found->second->size() == 4 ? (*found->second)[1] : 0;
  }

  /// How many numbers stand right after the prefix in names: one more than the largest, if hardly any before it lacks.
  int64_t count(const std::string& prefix) const {
    std::set<int64_t> numbers;
    for (auto at = shapes_.lower_bound(prefix); at != shapes_.end() && at->first.starts_with(prefix); ++at) {
      const char* begin = at->first.data() + prefix.size();
      int64_t number = -1;
      const auto [end, error] = std::from_chars(begin, at->first.data() + at->first.size(), number);
      if (error == std::errc() && *end == '.') numbers.insert(number);
    }
    const auto distinct = static_cast<int64_t>(numbers.size());
    if (numbers.empty()) return 0;
    return *numbers.rbegin() <= 2 * distinct ? *numbers.rbegin() + 1 : distinct;
  }
  /// True if any name begins so.
  bool any(const std::string& prefix) const {
    const auto at = shapes_.lower_bound(prefix);
    return at != shapes_.end() && at->first.starts_with(prefix);
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
  // Four times, because a file that lacks some tensors is to be refused with their names.
  check<Refusal>(needed <= 4 * numbers,
                 "{}: the file's network has {:.0f} convolution weights or more, the file has {:.0f} "
                 "numbers; is it cut off?",
                 place, needed, numbers);
}

void infer_head(const Shapes& shapes, int64_t features, const std::string& place, PspnetOptions* options) {
  options->classes = shapes.channels({"cls.4", "aux.4"});
  options->head_channels = shapes.channels({"cls.0", "cls.1"});
  check<Refusal>(options->classes > 0 && options->head_channels > 0,
                 "{}: cls.4 or cls.0 and cls.1 are missing, expected the head of a PSPNet", place);
  options->aux = shapes.any("aux.");
  if (options->aux) options->aux_channels = shapes.channels({"aux.0", "aux.1"});

  const int64_t input = std::max(shapes.inputs("cls.0.weight"), features), count = shapes.count("ppm.features.");
  options->pyramid = count > 0 || input != features;
  options->reduce = false;
  if (!options->pyramid) return;
  // Twice the features are also those of one bin without reduction, which only giza's own files have, and describe.
  options->reduce = count > 0 || input == 2 * features;
  int64_t bins = input / features - 1;
  if (options->reduce) {
    std::vector<std::string> paths;
    for (int64_t i = 0; i < count; ++i) {
      paths.push_back(fmt::format("ppm.features.{}.1", i));
      paths.push_back(fmt::format("ppm.features.{}.2", i));
    }
    const int64_t channels = shapes.channels(paths);
    bins = channels > 0 ? features / channels : 4;
  }
  check<Refusal>(bins == 1 || bins == 4,
                 "{}: the pyramid has {} bins whose sizes the file does not tell; expected 1 or 4, or "
                 "\"{}\" in the metadata",
                 place, bins, kModelKey);
  if (bins == 1) options->bins = {1};
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
    resnet.blocks[i] = std::max<int64_t>(1, shapes.count(fmt::format("layer{}.", i + 1)));
  }
  int64_t planes = 0;  // of layer4; of the last layer that is there, doubled for each that is not
  for (int64_t i = 3; i >= 0 && planes == 0; --i) {
    std::vector<std::string> paths;
    for (int64_t b = 0; b < std::min(resnet.blocks[static_cast<size_t>(i)], kMaxBlocks); ++b) {
      for (const char* name : {"conv1", "bn1", "bn2"}) paths.push_back(fmt::format("layer{}.{}.{}", i + 1, b, name));
    }
    planes = shapes.channels(paths) << (3 - i);
  }
  check<Refusal>(planes > 0, "{}: layer1 to layer4 are missing, expected the weights of a PSPNet or ResNet", place);
  // Channels are rounded up to multiples of 8; the widest layer gives a factor that rounds to the same everywhere.
  resnet.width = static_cast<double>(planes) / 512;
  const int64_t stem = std::max<int64_t>(1, shapes.channels({"layer0.0", "layer0.1"}));
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

std::unique_ptr<Pspnet> build_pspnet(const PspnetOptions& options, const WeightFile& file, const std::string& place) {
  std::unique_ptr<Pspnet> model;
  try {
    model = std::make_unique<Pspnet>(options);
  } catch (const ShapeError& error) {
    throw Refusal(fmt::format("{}: the file's network cannot be built: {}", place, error.what()));
  }
  load_state_dict(*model, file, place);
  return model;
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
  return build_pspnet(options, file, path);
}

}  // namespace giza::models
