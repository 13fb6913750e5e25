// From configuration to the parts of a run.
#include "train/config/parts.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <functional>
#include <vector>

#include "tensor/base/check.h"
#include "tensor/base/median.h"
#include "tensor/base/text.h"
#include "train/data/class_folders.h"

namespace giza::train {
namespace {

/// Pixels per class, and pixels of the pictures that have the class.
struct Histogram {
  std::vector<int64_t> pixels, surroundings;
};

Histogram label_histogram(const Dataset& dataset) {
  const DatasetOptions& options = dataset.options();
  const auto classes = static_cast<size_t>(options.classes);
  Histogram histogram{std::vector<int64_t>(classes), std::vector<int64_t>(classes)};
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const LabelMap labels = dataset.training_labels(i);
    std::array<int64_t, 256> counts{};
    int64_t valid = 0;
    for (const uint8_t label : labels.index) {
      if (label == options.ignore_label || label >= options.classes) continue;
      ++counts[label];
      ++valid;
    }
    for (size_t c = 0; c < classes; ++c) {
      histogram.pixels[c] += counts[c];
      // A class of whole pictures is as frequent as its share of all of them.
      if (counts[c] > 0 || options.whole_picture) histogram.surroundings[c] += valid;
    }
  }
  return histogram;
}

std::vector<float> balanced_weights(const Dataset& dataset) {
  const Histogram histogram = label_histogram(dataset);
  std::vector<double> frequencies(histogram.pixels.size()), present;
  for (size_t c = 0; c < frequencies.size(); ++c) {
    if (histogram.pixels[c] == 0) continue;
    frequencies[c] = static_cast<double>(histogram.pixels[c]) / static_cast<double>(histogram.surroundings[c]);
    present.push_back(frequencies[c]);
  }
  std::vector<float> weights(frequencies.size(), 1.0F);
  if (present.empty()) return weights;
  const double middle = median(present);
  for (size_t c = 0; c < weights.size(); ++c) {
    if (frequencies[c] > 0) weights[c] = static_cast<float>(middle / frequencies[c]);
  }
  return weights;
}

}  // namespace

std::string place_of_message(const Config& config, const std::string& message) {
  for (size_t at = message.find("TRAIN."); at != std::string::npos; at = message.find("TRAIN.", at + 1)) {
    const size_t end = message.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_", at + 6);
    const std::string key = message.substr(at, end - at);
    if (config.given(key)) return config_place(config, key);
  }
  return config.file;
}

models::NetworkOptions model_options(const Config& config) {
  const TrainConfig& train = config.train;
  models::NetworkOptions options;
  models::ResnetOptions& resnet = options.backbone;
  resnet = models::ResnetOptions::of_depth(train.layers);
  if (!train.blocks.empty()) std::copy_n(train.blocks.begin(), resnet.blocks.size(), resnet.blocks.begin());
  if (train.block != "auto") {
    resnet.block = train.block == "basic" ? models::BlockKind::basic : models::BlockKind::bottleneck;
  }
  resnet.stem = train.stem == "plain" ? models::Stem::plain : models::Stem::deep;
  resnet.stem_channels = train.stem_channels;
  resnet.width = train.width;
  resnet.output_stride = train.output_stride;
  resnet.first_block =
      train.first_block_dilation == "half" ? models::FirstBlockDilation::half : models::FirstBlockDilation::full;
  resnet.stride_in = train.stride_in == "1x1" ? models::StrideIn::conv1x1 : models::StrideIn::conv3x3;
  resnet.ceil_pool = train.ceil_pool;
  resnet.bn_momentum = train.bn_momentum;
  resnet.conv = {parse_conv_backend(train.conv), parse_conv_algorithm(train.algorithm)};
  options.classes = config.data.classes;
  options.arch = train.arch;
  for (const models::SettingRow& row : models::find_architecture(train.arch)->settings) {
    options.settings[row.name] = train.network.at(row.name);
  }
  options.head_channels = train.head_channels;
  options.aux_channels = train.aux_channels;
  options.dropout = static_cast<float>(train.dropout);
  options.align_corners = train.align_corners;
  options.aux = train.aux_weight > 0;
  options.seed = static_cast<uint64_t>(train.manual_seed);
  return options;
}

std::string network_title(const Config& config) {
  const models::Architecture& row = *models::find_architecture(config.train.arch);
  const auto has_backbone =
      std::any_of(row.settings.begin(), row.settings.end(),
                  [](const models::SettingRow& setting) { return setting.name == std::string_view("backbone"); });
  if (has_backbone && std::get<std::string>(config.train.network.at("backbone")) == "vgg16") {
    return fmt::format("{} on VGG16", row.title);
  }
  if (!has_backbone && !row.resnet) return row.title;
  return fmt::format("{} on ResNet{}", row.title, config.train.layers);
}

std::vector<layers::ParameterGroup> parameter_groups(const Config& config, const models::SceneParser& model) {
  std::vector<layers::ParameterGroup> groups;
  for (layers::ParameterGroup& group : model.parameter_groups(config.train.new_layer_lr)) {
    group.bias_factor = config.train.bias_lr;
    if (!config.train.decay_biases) {
      layers::ParameterGroup spared = group;
      spared.weight_decay_factor = 0;
      // What is no convolution's or linear layer's weight is a vector.
      const auto is_vector = [](const layers::NamedParameter& parameter) {
        return parameter.variable.value().rank() == 1;
      };
      std::erase_if(group.parameters, is_vector);
      std::erase_if(spared.parameters, std::not_fn(is_vector));
      groups.push_back(std::move(spared));
    }
    groups.push_back(std::move(group));
  }
  return groups;
}

namespace {

/// The class of a word of DATA.thing_classes: its name, or its number.
int class_number(const std::string& word, const std::vector<std::string>& names, int classes,
                 const std::string& place) {
  if (const auto found = std::find(names.begin(), names.end(), word); found != names.end()) {
    return static_cast<int>(found - names.begin());
  }
  int number = -1;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  const bool is_number = error == std::errc{} && end == word.data() + word.size();
  check<Refusal>(
      is_number && number >= 0 && number < classes,
      "{}: DATA.thing_classes has \"{}\", expected a number from 0 to {}{}", place, quotable(word), classes - 1,
      names.empty() ? ": the classes have no names, see DATA.names_path"
                    : fmt::format(", or one of {}", quotable(fmt::format("{}", fmt::join(names, ", ")), 400)));
  return number;
}

/// The list key of a part of the data.
const char* list_key(Split split) {
  return split == Split::train ? "DATA.train_list" : split == Split::val ? "DATA.val_list" : "TEST.test_list";
}

const std::string& list_of(const Config& config, Split split) {
  return split == Split::train ? config.data.train_list
         : split == Split::val ? config.data.val_list
                               : config.test.test_list;
}

}  // namespace

WeakLabels weak_labels(const Config& config) {
  WeakLabels weak;
  const std::string& word = config.data.weak_labels;
  if (word == "full") return weak;
  weak.kind = word == "box_band"     ? WeakLabels::Kind::band
              : word == "box_inner"  ? WeakLabels::Kind::inner
              : word == "box_crf"    ? WeakLabels::Kind::crf
              : word == "box_update" ? WeakLabels::Kind::update
                                     : WeakLabels::Kind::box;
  if (word == "mixed") weak.fraction = config.data.weak_fraction;
  weak.seed = static_cast<uint64_t>(config.train.manual_seed);
  const std::string place = config_place(config, "DATA.thing_classes");
  check<Refusal>(!config.data.thing_classes.empty(),
                 "{}: DATA.thing_classes is empty, but DATA.weak_labels {} needs to know which classes get boxes; give "
                 "their names or numbers, as [car, 7]",
                 place, word);
  const std::vector<std::string> names = class_names(config);
  for (const std::string& thing : config.data.thing_classes) {
    weak.is_thing[static_cast<size_t>(class_number(thing, names, config.data.classes, place))] = true;
  }
  return weak;
}

bool has_pictures(const Config& config, Split split) {
  return config.data.dataset != "list" || !list_of(config, split).empty();
}

DatasetOptions dataset_options(const Config& config, Split split) {
  const std::string& list = list_of(config, split);
  const bool listed = !list.empty() || config.data.dataset == "list";
  require_keys(config, {listed ? list_key(split) : "DATA.data_root"});
  DatasetOptions options = dataset_options(config, list);
  // A test is against the masks, whatever training saw.
  if (split == Split::train) options.weak = weak_labels(config);
  if (listed) return options;
  options.layout = config.data.dataset;
  options.split = split;
  if (split == Split::test && config.test.split != "test") {
    options.split = config.test.split == "train" ? Split::train : Split::val;
  }
  return options;
}

std::vector<std::string> input_files(std::vector<std::string> others, const Config& config,
                                     const DatasetOptions& options, const std::vector<ListEntry>& entries) {
  for (const std::string& path : {options.list, config.names_path(), config.colors_path(), options.label_colors}) {
    others.push_back(path);
  }
  for (const ListEntry& entry : entries) {
    others.push_back(entry.image);
    if (!entry.label.empty()) others.push_back(entry.label);
  }
  return others;
}

DatasetOptions dataset_options(const Config& config, const std::string& list) {
  DatasetOptions options;
  options.data_root = config.data.data_root;
  options.list = list;
  options.label_colors = config.data.label_colors;
  options.whole_picture = classifies_pictures(config);
  if (config.data.dataset == kClassFolders && !config.names_path().empty()) options.class_names = class_names(config);
  options.classes = config.data.classes;
  options.ignore_label = config.train.ignore_label;
  if (!config.data.label_map.empty()) {
    options.label_table =
        mapping_table({config.data.label_map.begin(), config.data.label_map.end()}, options.ignore_label);
    options.table_spares_train_ids = config.data.dataset == "cityscapes";
  } else if (config.data.reduce_zero_label) {
    options.label_table = subtract_one_table(options.ignore_label);
  }
  options.cache_bytes = int64_t{config.train.cache_mb} << 20;
  return options;
}

Normalization normalization_of(const Config& config, const std::optional<Normalization>& told) {
  Normalization result = told.value_or(Normalization{});
  const auto replace = [](Rgb& value, const std::vector<double>& given) {
    for (size_t c = 0; c < given.size(); ++c) value[c] = static_cast<float>(given[c]);
  };
  replace(result.mean, config.data.mean);
  replace(result.std, config.data.std);
  return result;
}

LrSchedule lr_schedule(const Config& config, int64_t iterations) {
  const TrainConfig& train = config.train;
  return {.policy = train.lr_policy == "step"    ? LrPolicy::step
                    : train.lr_policy == "fixed" ? LrPolicy::fixed
                                                 : LrPolicy::poly,
          .base = train.base_lr,
          .power = train.power,
          .steps = train.lr_steps,
          .gamma = train.lr_gamma,
          .warmup = train.warmup_iters,
          .iterations = iterations};
}

PictureSize largest_sample(const TrainConfig& train) {
  if (train.epoch_sizes.empty()) return {train.train_w, train.train_h};
  return scaled_size(train.train_w, train.train_h,
                     *std::max_element(train.epoch_sizes.begin(), train.epoch_sizes.end()));
}

TransformOptions train_transforms(const Config& config) {
  const TrainConfig& train = config.train;
  const Normalization normalization = normalization_of(config);
  return {.scale_min = train.scale_min,
          .scale_max = train.scale_max,
          .rotate_min = train.rotate_min,
          .rotate_max = train.rotate_max,
          .rotate_probability = train.rotate_prob,
          .blur_probability = train.blur_prob,
          .flip_probability = train.flip_prob,
          .color_jitter = {train.brightness, train.contrast, train.saturation, train.hue},
          .pad = train.pad,
          .crop_h = train.train_h,
          .crop_w = train.train_w,
          .mean = normalization.mean,
          .std = normalization.std,
          .ignore_label = train.ignore_label,
          .epoch_sizes = train.epoch_sizes,
          .whole_picture = classifies_pictures(config)};
}

ProtocolOptions test_protocol(const Config& config, const std::optional<Normalization>& told) {
  const TestConfig& test = config.test;
  const Normalization normalization = normalization_of(config, told);
  return {.base_size = test.base_size,
          .crop_h = test.whole_image ? 0 : test.test_h,
          .crop_w = test.whole_image ? 0 : test.test_w,
          .scales = test.scales,
          .mirror = test.mirror,
          .stride_rate = test.stride_rate,
          .batch = config.train.batch_size_val,
          .mean = normalization.mean,
          .std = normalization.std,
          .crf = test.crf ? std::optional(test.crf_options) : std::nullopt};
}

ProtocolOptions validation_protocol(const Config& config) {
  ProtocolOptions options = test_protocol(config);
  options.scales = {1.0};
  options.mirror = false;
  options.crf.reset();
  return options;
}

ProtocolOptions label_protocol(const Config& config) {
  const Normalization normalization = normalization_of(config);
  return {.base_size = 0,
          .crop_h = config.train.train_h,
          .crop_w = config.train.train_w,
          .scales = {1.0},
          .mirror = false,
          .batch = config.train.batch_size,
          .mean = normalization.mean,
          .std = normalization.std};
}

const KnownDataset* built_in_classes(const Config& config, const std::string& path) {
  const KnownDataset* known = find_known_dataset(config.data.dataset);
  std::error_code error;
  if (!path.empty()) known = std::filesystem::exists(path, error) ? nullptr : known_by_file_name(path);
  return known != nullptr && known->classes() == config.data.classes ? known : nullptr;
}

std::vector<std::string> built_in_notes(const Config& config) {
  std::vector<std::string> notes;
  const auto add = [&](const std::string& path, const char* what) {
    const KnownDataset* known = path.empty() ? nullptr : built_in_classes(config, path);
    if (known == nullptr) return;
    notes.push_back(fmt::format("{}: not found; the built-in {} of {} are used", path, what, known->title));
  };
  add(config.names_path(), "names");
  add(config.colors_path(), "colours");
  return notes;
}

namespace {

/// A file that is not there, but is called like one whose contents are built in, for another number of classes.
void check_built_in_count(const Config& config, const std::string& path, const char* key, const char* what) {
  const KnownDataset* known = known_by_file_name(path);
  std::error_code error;
  check<Refusal>(
      known == nullptr || known->classes() == config.data.classes || std::filesystem::exists(path, error),
      "{}: not found, and the built-in {} of {} are {}, but DATA.classes is {} ({}); set DATA.classes {}, or "
      "{} to a file of your classes or ''",
      path, what, known != nullptr ? known->title : "", known != nullptr ? known->classes() : 0, config.data.classes,
      config_place(config, "DATA.classes"), known != nullptr ? known->classes() : 0, key);
}

std::vector<std::string> folder_names(const Config& config) {
  require_keys(config, {"DATA.data_root"});
  std::vector<std::string> names = class_folders(config.data.data_root);
  check<Refusal>(static_cast<int>(names.size()) == config.data.classes,
                 "{}: DATA.classes is {}, but {} has the folders of {} classes in train; set DATA.classes {}",
                 config_place(config, "DATA.classes"), config.data.classes, config.data.data_root, names.size(),
                 names.size());
  return names;
}

}  // namespace

std::vector<std::string> class_names(const Config& config) {
  const std::string path = config.names_path();
  if (const KnownDataset* known = built_in_classes(config, path)) return {known->names.begin(), known->names.end()};
  if (path.empty() && config.data.dataset == kClassFolders) return folder_names(config);
  if (path.empty()) return {};
  check_built_in_count(config, path, "TEST.names_path", "names");
  std::vector<std::string> names = read_names(path);
  check<Refusal>(static_cast<int>(names.size()) == config.data.classes,
                 "{}: has {} names, expected DATA.classes = {}, one per line", path, names.size(), config.data.classes);
  return names;
}

std::vector<Color> class_colors(const Config& config) {
  const std::string path = config.colors_path();
  if (const KnownDataset* known = built_in_classes(config, path)) return {known->colors.begin(), known->colors.end()};
  if (path.empty()) return {};
  check_built_in_count(config, path, "TEST.colors_path", "colours");
  std::vector<Color> colors = read_colors(path);
  check<Refusal>(static_cast<int>(colors.size()) >= config.data.classes,
                 "{}: has {} colours, expected one for each of the {} classes", path, colors.size(),
                 config.data.classes);
  return colors;
}

std::vector<Color> mask_colors(const Config& config) {
  return completed_colors(class_colors(config), static_cast<size_t>(config.data.classes));
}

Tensor class_weights(const Config& config, const Dataset& dataset) {
  const ClassWeights& weights = config.train.class_weights;
  if (weights.kind == ClassWeights::Kind::none) return {};
  std::vector<float> values(weights.values.begin(), weights.values.end());
  if (weights.kind == ClassWeights::Kind::balanced) values = balanced_weights(dataset);
  check<Refusal>(static_cast<int>(values.size()) == config.data.classes,
                 "{}: TRAIN.class_weights has {} values, expected {}", config_place(config, "TRAIN.class_weights"),
                 values.size(), config.data.classes);
  return Tensor::from({config.data.classes}, values);
}

}  // namespace giza::train
