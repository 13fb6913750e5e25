// Which network a file of weights belongs to.
#include "models/weights/infer.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "models/weights/metadata_json.h"
#include "models/weights/naming.h"
#include "models/weights/shapes.h"
#include "models/weights/state_dict.h"
#include "tensor/base/check.h"
#include "tensor/base/text.h"
#include "tensor/dry_run.h"

namespace giza::models {

// Beside the enumerations, where the library looks for them.
NLOHMANN_JSON_SERIALIZE_ENUM(Stem, {{Stem::deep, "deep"}, {Stem::plain, "plain"}})
NLOHMANN_JSON_SERIALIZE_ENUM(BlockKind, {{BlockKind::bottleneck, "bottleneck"}, {BlockKind::basic, "basic"}})
NLOHMANN_JSON_SERIALIZE_ENUM(FirstBlockDilation,
                             {{FirstBlockDilation::full, "full"}, {FirstBlockDilation::half, "half"}})
NLOHMANN_JSON_SERIALIZE_ENUM(StrideIn, {{StrideIn::conv3x3, "3x3"}, {StrideIn::conv1x1, "1x1"}})

namespace {

using Json = nlohmann::json;

// A file may be hostile: sizes beyond these would only serve to exhaust memory.
constexpr int64_t kMaxClasses = 65536, kMaxBlocks = 1000, kMaxChannels = 65536;
constexpr size_t kMaxItems = 64;  // of a list
constexpr double kMaxWidth = 16;

bool in_range(const SettingRow& row, const Setting& value) {
  const auto number = [&](double v) { return v >= row.min && v <= row.max; };
  if (const auto* whole = std::get_if<int>(&value)) return number(*whole);
  if (const auto* one = std::get_if<double>(&value)) return number(*one);
  if (const auto* list = std::get_if<std::vector<int>>(&value)) {
    return list->size() <= kMaxItems && std::all_of(list->begin(), list->end(), number);
  }
  if (const auto* word = std::get_if<std::string>(&value)) {
    return fmt::format("|{}|", row.choices).find(fmt::format("|{}|", *word)) != std::string::npos;
  }
  return true;
}

void check_bounds(const NetworkOptions& options, const std::string& place) {
  bool ok = options.classes >= 1 && options.classes <= kMaxClasses && options.backbone.width > 0 &&
            options.backbone.stem_channels >= 1 && options.backbone.stem_channels <= kMaxChannels &&
            options.backbone.width <= kMaxWidth && options.head_channels >= 0 &&
            options.head_channels <= kMaxChannels && options.aux_channels >= 0 &&
            options.aux_channels <= kMaxChannels && options.dropout >= 0 && options.dropout < 1;
  for (const int64_t blocks : options.backbone.blocks) ok = ok && blocks >= 1 && blocks <= kMaxBlocks;
  for (const SettingRow& row : find_architecture(options.arch)->settings) {
    const auto given = options.settings.find(row.name);
    ok = ok && (given == options.settings.end() || in_range(row, given->second));
  }
  check<Refusal>(ok, "{}: the description of the network has sizes out of range; is the file corrupt?", place);
}

/// The number of parameters of a network, found by building it without its memory; infinity for one that is larger than
/// any memory.
double count_parameters(const NetworkOptions& options) {
  const DryRun dry(/*threads=*/1);
  double count = 0;
  try {
    const std::unique_ptr<SceneParser> model = make_parser(options);
    for (const auto& parameter : model->parameters()) count += static_cast<double>(parameter.variable.value().numel());
  } catch (const ShapeError&) {
    return 0;  // fits no network: whoever builds it says so
  } catch (const Refusal&) {
    throw;
  } catch (const Error&) {
    return std::numeric_limits<double>::infinity();
  }
  return count;
}

/// A few hundred hostile bytes could describe a network of terabytes: it must not be larger than the file itself.
void check_fits_file(NetworkOptions options, const WeightFile& file, const std::string& place) {
  options.aux = false;  // may be left out
  double numbers = 0;
  for (const WeightTensor& tensor : file.tensors) numbers += static_cast<double>(tensor.count());
  const double needed = count_parameters(options);
  // Four times, because a file that lacks some tensors is to be refused with their names.
  check<Refusal>(needed <= 4 * numbers,
                 "{}: the file's network has {:.0f} parameters or more, the file has {:.0f} "
                 "numbers; is it cut off?",
                 place, needed, numbers);
}

/// What networks of these names do otherwise, though no tensor shows it.
void follow_naming(Naming naming, NetworkOptions* options) {
  const bool deeplab = naming == Naming::deeplab;
  if (naming == Naming::mmseg || naming == Naming::torchvision_segmentation) {
    options->backbone.first_block = FirstBlockDilation::half;
    options->align_corners = false;
  }
  if (naming == Naming::caffe || deeplab) {
    options->backbone.stride_in = StrideIn::conv1x1;
    options->backbone.ceil_pool = true;
  }
  if (deeplab) options->align_corners = false;
}

/// TRAIN.stem_channels of a deep stem whose first convolution has `first` channels and the third `third` (0: not told),
/// both rounded up to multiples of 8 after the factor of the width.
int64_t infer_stem_channels(const ResnetOptions& resnet, int64_t first, int64_t third) {
  const auto fits = [&](int64_t channels) {
    return resnet.scaled(channels) == first && (third == 0 || resnet.scaled(2 * channels) == third);
  };
  if (fits(resnet.stem_channels)) return resnet.stem_channels;
  const double exact = static_cast<double>(first) / resnet.width, step = 8 / resnet.width;
  // The nearest to what was not rounded at all: that is what people choose.
  for (int64_t away = 0; static_cast<double>(away) <= step; ++away) {
    for (const int64_t channels : {std::llround(exact) - away, std::llround(exact) + away}) {
      if (channels >= 1 && fits(channels)) return channels;
    }
  }
  return std::llround(exact);
}

/// What the tensors of a ResNet tell of it.
NetworkOptions infer_backbone(const WeightFile& file, const TensorShapes& shapes, const std::string& place) {
  NetworkOptions options;
  ResnetOptions& resnet = options.backbone;
  resnet.stem = shapes.count("layer0.") > 2 ? Stem::deep : Stem::plain;
  resnet.block = shapes.bottlenecks() ? BlockKind::bottleneck : BlockKind::basic;
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
  check<Refusal>(planes > 0 || original_naming(file) != Naming::torchvision_vgg16,
                 "{}: holds torchvision's VGG16 alone, which is no network for parsing; a training begins from it by "
                 "TRAIN.backbone vgg16 and TRAIN.weight",
                 place);
  check<Refusal>(planes > 0, "{}: layer1 to layer4 are missing, expected the weights of a PSPNet or ResNet", place);
  const std::string foreign = shapes.foreign_bottlenecks();
  check<Refusal>(foreign.empty(), "{}: {}", place, foreign);
  // Channels are rounded up to multiples of 8; the widest layer gives a factor that rounds to the same everywhere.
  resnet.width = static_cast<double>(planes) / 512;
  const int64_t stem = std::max<int64_t>(1, shapes.channels({"layer0.0", "layer0.1"}));
  if (resnet.stem == Stem::deep)
    resnet.stem_channels = infer_stem_channels(resnet, stem, shapes.channels({"layer0.6"}));
  follow_naming(origin_of(file), &options);
  check_bounds(options, place);
  return options;
}

Json to_json(const Setting& setting) {
  return std::visit([](const auto& value) { return Json(value); }, setting);
}

/// A value of the type of `standard`. Throws Json::exception for another.
Setting from_json(const Json& json, const Setting& standard) {
  return std::visit([&](const auto& value) -> Setting { return json.get<std::decay_t<decltype(value)>>(); }, standard);
}

/// Files from before there was more than one architecture say which by "pyramid".
Json with_arch(Json json) {
  if (!json.is_object() || json.contains("arch")) return json;
  json["arch"] = json.at("pyramid").get<bool>() ? "psp" : "baseline";
  json["ppm_reduce"] = json.at("reduce");
  json.erase("pyramid");
  json.erase("reduce");
  return json;
}

const Setting& value_of(const SettingRow& row, const NetworkOptions& options) {
  const auto given = options.settings.find(row.name);
  return given == options.settings.end() ? row.standard : given->second;
}

Json to_json(const NetworkOptions& options) {
  const ResnetOptions& resnet = options.backbone;
  Json json{{"arch", options.arch},
            {"blocks", resnet.blocks},
            {"block", resnet.block},
            {"stem", resnet.stem},
            {"width", resnet.width},
            {"first_block", resnet.first_block},
            {"output_stride", resnet.output_stride},
            {"bn_momentum", resnet.bn_momentum},
            {"classes", options.classes},
            {"head_channels", options.head_channels},
            {"aux_channels", options.aux_channels},
            {"dropout", options.dropout},
            {"aux", options.aux}};
  // Newer than the first files: only where they are not as these have them.
  if (resnet.stem_channels != ResnetOptions{}.stem_channels) json["stem_channels"] = resnet.stem_channels;
  if (!options.align_corners) json["align_corners"] = false;
  if (resnet.stride_in != StrideIn::conv3x3) json["stride_in"] = resnet.stride_in;
  if (resnet.ceil_pool) json["ceil_pool"] = true;
  for (const SettingRow& row : find_architecture(options.arch)->settings) {
    const Setting& value = value_of(row, options);
    if (!row.added || value != row.standard) json[row.name] = to_json(value);
  }
  return json;
}

NetworkOptions from_json(const Json& from, const std::string& place) {
  NetworkOptions options;
  ResnetOptions& resnet = options.backbone;
  from.at("arch").get_to(options.arch);
  const Architecture* architecture = find_architecture(options.arch);
  check<Refusal>(architecture != nullptr, "{}: \"{}\" in the metadata names the architecture \"{}\", which is unknown",
                 place, kModelKey, quotable(options.arch));
  from.at("blocks").get_to(resnet.blocks);
  from.at("block").get_to(resnet.block);
  from.at("stem").get_to(resnet.stem);
  from.at("width").get_to(resnet.width);
  from.at("first_block").get_to(resnet.first_block);
  from.at("output_stride").get_to(resnet.output_stride);
  from.at("bn_momentum").get_to(resnet.bn_momentum);
  from.at("classes").get_to(options.classes);
  from.at("head_channels").get_to(options.head_channels);
  from.at("aux_channels").get_to(options.aux_channels);
  from.at("dropout").get_to(options.dropout);
  from.at("aux").get_to(options.aux);
  resnet.stem_channels = from.value("stem_channels", resnet.stem_channels);
  options.align_corners = from.value("align_corners", options.align_corners);
  resnet.stride_in = from.value("stride_in", resnet.stride_in);
  resnet.ceil_pool = from.value("ceil_pool", resnet.ceil_pool);
  for (const SettingRow& row : architecture->settings) {
    const bool absent = row.added && !from.contains(row.name);
    options.settings[row.name] = absent ? row.standard : from_json(from.at(row.name), row.standard);
  }
  return options;
}

}  // namespace

std::string options_to_json(const NetworkOptions& options) { return to_json(options).dump(); }

NetworkOptions options_from_json(const std::string& json, const std::string& place) {
  // Metadata is short; a parser's depth is bounded by its length.
  check<Refusal>(json.size() <= 65536, "{}: the description of the network is {} bytes long", place, json.size());
  const auto no_network = [&](const char* why) {
    return Refusal(fmt::format("{}: \"{}\" in the metadata does not describe a network ({}); expected what giza writes",
                               place, kModelKey, quotable(why, 200)));
  };
  NetworkOptions options;
  try {
    const Json from = with_arch(parse_metadata<Json>(json));
    options = from_json(from, place);
    // Catches what the enumerations would silently take for their first value.
    check<Refusal>(to_json(options) == from,
                   "{}: \"{}\" in the metadata has unknown entries; was it written by a newer version?", place,
                   kModelKey);
  } catch (const Json::exception& error) {
    throw no_network(json_fault(error).c_str());
  } catch (const std::out_of_range& error) {
    throw no_network(error.what());
  }
  check_bounds(options, place);
  return options;
}

NetworkOptions options_from_weights(const WeightFile& file, const std::string& place) {
  if (const auto found = file.metadata.find(kModelKey); found != file.metadata.end()) {
    NetworkOptions options = options_from_json(found->second, place);
    check_fits_file(options, file, place);
    return options;
  }
  const TensorShapes shapes(file);
  const bool resnet = shapes.any("layer");
  NetworkOptions options;
  const auto known_by = [&](const Architecture& row) {
    return row.infer != nullptr && (resnet || !row.resnet) && row.infer(shapes, place, &options);
  };
  const auto all = architectures();
  if (resnet) options = infer_backbone(file, shapes, place);
  const bool known = std::any_of(all.rbegin(), all.rend(), known_by);
  if (!known && !resnet) infer_backbone(file, shapes, place);  // says what is missing
  check<Refusal>(known, "{}: no network that giza has is called so; expected the weights of a PSPNet", place);
  check_bounds(options, place);
  check_fits_file(options, file, place);
  return options;
}

std::string less_the_mean(const char* mean) { return fmt::format(R"({{"mean":[{}],"std":[1.0,1.0,1.0]}})", mean); }

void tell_of_rgb(WeightFile* file, const char* network, const char* mean) {
  file->metadata[kNormalizationKey] = less_the_mean(mean);
  file->notes.push_back(
      fmt::format("{}, changed to take RGB: pictures minus ({}), not divided by deviations", network, mean));
}

std::string naming_note(const WeightFile& file, const NetworkOptions& options) {
  const Naming naming = origin_of(file);
  NetworkOptions theirs = options;
  follow_naming(naming, &theirs);
  std::vector<const char*> keys;
  if (theirs.align_corners != options.align_corners) keys.push_back("TRAIN.align_corners false");
  if (theirs.backbone.first_block != options.backbone.first_block) keys.push_back("TRAIN.first_block_dilation half");
  if (theirs.backbone.stride_in != options.backbone.stride_in) keys.push_back("TRAIN.stride_in 1x1");
  if (theirs.backbone.ceil_pool != options.backbone.ceil_pool) keys.push_back("TRAIN.ceil_pool true");
  if (keys.empty()) return "";
  return fmt::format("{} {}, whose networks go with {}, unless their configuration says otherwise",
                     naming == original_naming(file) ? "has the names of" : "is a backbone of", to_string(naming),
                     fmt::join(keys, " and "));
}

std::vector<std::pair<std::string, std::string>> settings_that_differ(const NetworkOptions& theirs,
                                                                      const NetworkOptions& ours) {
  const bool same_arch = theirs.arch == ours.arch;
  const auto compared = [&](const NetworkOptions& options) {
    const ResnetOptions& resnet = options.backbone;
    Json json{{"stride_in", resnet.stride_in}, {"ceil_pool", resnet.ceil_pool}, {"arch", options.arch}};
    if (!same_arch) return json;
    json.update({{"blocks", resnet.blocks},
                 {"block", resnet.block},
                 {"stem", resnet.stem},
                 {"stem_channels", resnet.stem_channels},
                 {"width", resnet.width},
                 {"output_stride", resnet.output_stride},
                 {"first_block_dilation", resnet.first_block},
                 {"align_corners", options.align_corners}});
    for (const SettingRow& row : find_architecture(options.arch)->settings) {
      json[row.name] = to_json(value_of(row, options));
    }
    return json;
  };
  const Json theirs_json = compared(theirs), ours_json = compared(ours);
  std::vector<std::pair<std::string, std::string>> differ;
  for (const auto& [key, value] : theirs_json.items()) {
    if (value != ours_json.at(key)) differ.emplace_back(key, value.dump());
  }
  return differ;
}

std::unique_ptr<SceneParser> build_parser(const NetworkOptions& options, const WeightFile& file,
                                          const std::string& place) {
  std::unique_ptr<SceneParser> model;
  try {
    model = make_parser(options);
  } catch (const ShapeError& error) {
    throw Refusal(fmt::format("{}: the file's network cannot be built: {}", place, error.what()));
  }
  load_state_dict(*model, file, place, {.told_by_file = true});
  return model;
}

void check_backbone(const WeightFile& file, const std::string& place) {
  NetworkOptions options = infer_backbone(file, TensorShapes(file), place);
  options.arch = "baseline";
  options.classes = options.head_channels = 1;
  options.aux = false;
  check_fits_file(options, file, place);
  load_state_dict(*make_parser(options), file, place, {.backbone_only = true});
}

std::unique_ptr<SceneParser> load_parser(const std::string& path, const ConvEngine& conv, FileNotes* told) {
  WeightFile file = read_semseg_weights(path);
  NetworkOptions options = options_from_weights(file, path);
  options.backbone.conv = conv;
  options.aux = false;  // used in training only
  auto model = build_parser(options, file, path);
  if (told != nullptr) *told = {std::move(file.metadata), std::move(file.notes)};
  return model;
}

}  // namespace giza::models
