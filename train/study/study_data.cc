// What a study trains on.
#include "train/study/study_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "train/config/parts.h"
#include "train/data/image/image.h"
#include "train/data/scenes/scenes.h"
#include "train/data/scenes/things.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kScenesSeed = 1;  // that of scripts/demo

/// The pictures and passes of a study on scenes, and of a quick one.
struct ScenesSize {
  int train, val, epochs;
};
constexpr ScenesSize kScenes{1600, 400, 30}, kQuickScenes{800, 200, 6};
/// The same of the pictures of one thing each that a classifier learns from.
constexpr ScenesSize kThings{3000, 600, 15}, kQuickThings{1000, 200, 15};
constexpr int kQuickCamvidEpochs = 10, kQuickShare = 5;
constexpr int kValidations = 8;  // points of a learning curve

/// A setting of the study's own, where the user has not given the key.
template <class T>
void set_default(Config& config, const char* key, T& field, const T& value) {
  const auto same = [&](const auto& pair) { return pair.first == key; };
  if (std::any_of(config.overrides.begin(), config.overrides.end(), same)) return;
  field = value;
  config.origins[key] = "giza study";
}

/// Options of some networks that depend on the size of the map and on what the classes are.
struct NetworkDefaults {
  std::vector<int> aspp_rates;
  int fov_rate, context_layers;
  std::vector<int> object_classes;
};
/// For maps of 13 x 25 cells, the scenes at output stride 8. Objects: building, skyscraper, boat, car, lamp, sign.
const NetworkDefaults& scenes_networks() {
  static const NetworkDefaults defaults{{2, 4, 6, 8}, 4, 7, {6, 7, 8, 9, 10, 11}};
  return defaults;
}
/// For CamVid: 45 x 60 cells at output stride 8, and twice as many at 4, where no context module has a field twice as
/// large (the next one's is six times as large). Objects: pole, sign, car, pedestrian, bicyclist.
NetworkDefaults camvid_networks(int output_stride) {
  if (output_stride >= 8) return {{6, 12, 18, 24}, 12, 8, {2, 6, 8, 9, 10}};
  return {{12, 24, 36, 48}, 24, 8, {2, 6, 8, 9, 10}};
}

void set_network_defaults(Config& config, const NetworkDefaults& defaults) {
  const auto set = [&](const char* key, const char* name, const models::Setting& value) {
    set_default(config, key, config.train.network.find(name)->second, value);
  };
  set("TRAIN.aspp_rates", "aspp_rates", defaults.aspp_rates);
  set("TRAIN.fov_rate", "fov_rate", defaults.fov_rate);
  set("TRAIN.context_layers", "context_layers", defaults.context_layers);
  set("TRAIN.object_classes", "object_classes", defaults.object_classes);
}

std::vector<std::string> numbers_of(const std::vector<int>& classes) {
  std::vector<std::string> words;
  for (const int number : classes) words.push_back(std::to_string(number));
  return words;
}

/// Chosen on training pictures of the scenes, by nets that had not seen these: docs/study.md.
void set_scenes_crf(Config& config) {
  CrfOptions& crf = config.test.crf_options;
  set_default(config, "TEST.crf_bilateral_weight", crf.bilateral_weight, 8.0);
  set_default(config, "TEST.crf_bilateral_xy", crf.bilateral_xy, 30.0);
  set_default(config, "TEST.crf_bilateral_rgb", crf.bilateral_rgb, 10.0);
}

void set_epochs(Config& config, int epochs) { set_default(config, "TRAIN.epochs", config.train.epochs, epochs); }

StudyData scenes_data(bool quick, const std::string& out, const std::vector<std::string>& settings) {
  const ScenesSize& size = quick ? kQuickScenes : kScenes;
  StudyData data{"scenes",        StudyScale::small, parse_config(kScenesConfig, "configs/scenes/psp.yaml", settings),
                 out + "/scenes", size.train,        size.val};
  Config& config = data.config;
  const auto place = [&](const char* key, std::string& field, const char* file) {
    set_default(config, key, field, data.scenes_folder + file);
  };
  place("DATA.data_root", config.data.data_root, "");
  place("DATA.train_list", config.data.train_list, "/train.txt");
  place("DATA.val_list", config.data.val_list, "/val.txt");
  place("DATA.names_path", config.data.names_path, "/names.txt");
  place("DATA.colors_path", config.data.colors_path, "/colors.txt");
  place("TEST.test_list", config.test.test_list, "/val.txt");
  set_epochs(config, size.epochs);
  set_default(config, "TRAIN.evaluate", config.train.evaluate, true);
  set_network_defaults(config, scenes_networks());
  set_scenes_crf(config);
  data.thing_classes = numbers_of(scenes_networks().object_classes);
  const ScenesSize& things = quick ? kQuickThings : kThings;
  data.things_folder = out + "/things";
  data.train_things = things.train;
  data.val_things = things.val;
  return data;
}

StudyData camvid_data(bool quick, const std::vector<std::string>& settings) {
  StudyData data{"camvid", StudyScale::small, parse_config(kCamvidConfig, "configs/camvid/psp.yaml", settings), "", 0,
                 0};
  if (quick) {
    set_epochs(data.config, kQuickCamvidEpochs);
    set_default(data.config, "TRAIN.output_stride", data.config.train.output_stride, 8);
  }
  const NetworkDefaults networks = camvid_networks(data.config.train.output_stride);
  set_network_defaults(data.config, networks);
  data.thing_classes = numbers_of(networks.object_classes);
  return data;
}

StudyData own_data(const std::string& file, bool quick, const std::vector<std::string>& settings) {
  StudyData data{study_data_name(file), StudyScale::own, load_config(file, settings), "", 0, 0};
  if (quick) set_epochs(data.config, (data.config.train.epochs + kQuickShare - 1) / kQuickShare);
  return data;
}

constexpr size_t kLongestList = 16 << 20;  // bytes

int64_t count_lines(const std::string& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return 0;
  const std::vector<uint8_t> bytes = read_file(path, kLongestList);
  return std::count(bytes.begin(), bytes.end(), uint8_t{'\n'});
}

/// Pictures in the folders of a part of the things.
int64_t count_things(const std::string& part) {
  int64_t count = 0;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(part, error)) count += entry.path().extension() == ".png";
  return count;
}

bool has_size(const std::string& picture, int width, int height) {
  std::error_code error;
  return fs::is_regular_file(picture, error) && read_image_size(picture) == std::array{width, height};
}

SceneOptions scene_options(const StudyData& data) {
  SceneOptions options;
  options.height = data.config.train.train_h;
  options.width = data.config.train.train_w;
  options.seed = kScenesSeed;
  return options;
}

}  // namespace

std::string study_data_name(const std::string& data) { return fs::path(data).stem().string(); }

StudyData study_data(const std::string& data, bool quick, const std::string& out,
                     const std::vector<std::string>& settings) {
  StudyData result = data == "scenes"   ? scenes_data(quick, out, settings)
                     : data == "camvid" ? camvid_data(quick, settings)
                                        : own_data(data, quick, settings);
  Config& config = result.config;
  require_keys(config, {"DATA.classes"});
  if (result.scale == StudyScale::small) {
    const int often = std::max(1, config.train.epochs / kValidations);
    set_default(config, "TRAIN.eval_freq", config.train.eval_freq, often);
    set_default(config, "TRAIN.save_freq", config.train.save_freq, often);
  }
  set_default(config, "TRAIN.tensorboard", config.train.tensorboard, false);
  set_default(config, "TRAIN.keep_checkpoints", config.train.keep_checkpoints, 1);
  set_default(config, "TEST.save_masks", config.test.save_masks, false);
  return result;
}

void prepare_study_data(const StudyData& data) {
  if (!data.scenes_folder.empty()) {
    const SceneOptions options = scene_options(data);
    if (count_lines(data.scenes_folder + "/train.txt") != data.train_scenes ||
        count_lines(data.scenes_folder + "/val.txt") != data.val_scenes ||
        !has_size(data.scenes_folder + "/train/scene_00000.png", options.width, options.height)) {
      write_scenes(data.scenes_folder, data.train_scenes, data.val_scenes, options);
    }
    return;
  }
  try {
    for (const Split split : {Split::train, Split::test})
      list_pictures(dataset_options(data.config, split), LabelColumn::required);
  } catch (const Refusal& error) {
    if (data.name != "camvid") throw;
    throw Refusal(
        fmt::format("{}; docs/camvid.md tells where CamVid comes from; if it lies in another folder, add "
                    "DATA.data_root DIR",
                    error.what()));
  }
}

void prepare_study_things(const StudyData& data) {
  if (count_things(data.things_folder + "/train") == data.train_things &&
      count_things(data.things_folder + "/val") == data.val_things) {
    return;
  }
  write_things(data.things_folder, data.train_things, data.val_things, scene_options(data));
}

Config classifier_config(const StudyData& data) {
  Config config = parse_config(kClassifierConfig, "configs/scenes/classifier.yaml");
  config.data.data_root = data.things_folder;
  TrainConfig& train = config.train;
  train.train_h = train.train_w = thing_side(scene_options(data));
  // The rate falls at half and at three quarters of the iterations.
  const int iterations = train.epochs * std::max(1, data.train_things / train.batch_size);
  train.lr_steps = {iterations / 2, iterations * 3 / 4};
  train.save_freq = train.eval_freq = train.epochs;
  train.keep_checkpoints = 1;
  train.tensorboard = false;
  train.resume = "auto";
  // The trunk.
  const TrainConfig& parser = data.config.train;
  train.layers = parser.layers;
  train.stem = parser.stem;
  train.stem_channels = parser.stem_channels;
  train.width = parser.width;
  train.blocks = parser.blocks;
  train.block = parser.block;
  train.output_stride = parser.output_stride;
  train.first_block_dilation = parser.first_block_dilation;
  train.stride_in = parser.stride_in;
  train.ceil_pool = parser.ceil_pool;
  train.bn_momentum = parser.bn_momentum;
  // How it is computed.
  train.conv = parser.conv;
  train.algorithm = parser.algorithm;
  train.threads = parser.threads;
  train.workers = parser.workers;
  return config;
}

std::string part_list(const StudyData& data, double part) {
  return fmt::format("{}/train_{:.0f}.txt", data.scenes_folder, 100 * part);
}

void write_part_list(const StudyData& data, double part) {
  std::vector<uint8_t> bytes;
  if (!data.config.data.train_list.empty()) {
    bytes = read_file(data.config.data.train_list, kLongestList);
  } else {
    for (const ListEntry& entry : list_pictures(dataset_options(data.config, Split::train), LabelColumn::required)) {
      const std::string line =
          fmt::format("{}\t{}\n", fs::absolute(entry.image).string(), fs::absolute(entry.label).string());
      bytes.insert(bytes.end(), line.begin(), line.end());
    }
  }
  const int64_t lines = std::count(bytes.begin(), bytes.end(), uint8_t{'\n'});
  const auto wanted = std::max<int64_t>(1, std::llround(part * static_cast<double>(lines)));
  auto end = bytes.begin();
  for (int64_t line = 0; line < wanted && end != bytes.end(); ++line) {
    end = std::find(end, bytes.end(), uint8_t{'\n'});
    if (end != bytes.end()) ++end;
  }
  write_file(part_list(data, part),
             std::string_view(reinterpret_cast<const char*>(bytes.data()), static_cast<size_t>(end - bytes.begin())));
}

}  // namespace giza::train
