// A data set of a few small pictures of one class each, a folder per class, and a configuration that trains on it in a
// moment.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <utility>

#include "tensor/random.h"
#include "tests/support/temp_folder.h"
#include "train/config/config.h"
#include "train/data/image/image.h"

namespace giza::train {

/// Noise whose colour tells the class: "blue", "green" and "red".
class PictureSet {
 public:
  static constexpr int kClasses = 3;

  explicit PictureSet(int train = 4, int val = 2) {
    for (const auto& [part, count] : {std::pair("train", train), {"val", val}}) {
      for (int label = 0; label < kClasses; ++label) {
        std::filesystem::create_directories(file(fmt::format("{}/{}", part, kNames[label])));
        for (int i = 0; i < count; ++i) {
          write_image(picture(part, label, i), paint(label, i + (part == std::string("val") ? 100 : 0)));
        }
      }
    }
  }

  std::string file(const std::string& name) const { return folder_.file(name); }
  std::string picture(const std::string& part, int label, int index) const {
    return file(fmt::format("{}/{}/p{}.png", part, kNames[label], index));
  }

  static Image paint(int label, int index) {
    Image image(20 + index % 3, 21);
    Random random(6, Purpose::test, static_cast<uint32_t>(label), static_cast<uint32_t>(index));
    for (size_t i = 0; i < image.rgb.size(); ++i) {
      const bool bright = static_cast<int>(i % 3) == 2 - label;
      image.rgb[i] = static_cast<uint8_t>(random.next_below(100) + (bright ? 150 : 0));
    }
    return image;
  }

  /// 3 iterations an epoch. The run folder is `run` below the data.
  Config config(const std::string& run, const std::string& arch = "classifier") const {
    Config config;
    config.file = "pictures.yaml";
    config.data.dataset = "folders";
    config.data.data_root = folder_.path();
    config.data.classes = kClasses;
    config.train.arch = arch;
    config.train.layers = 18;
    config.train.blocks = {1, 1, 1, 1};
    config.train.width = 0.125;
    config.train.dropout = 0;
    config.train.network["spp_bins"] = std::vector<int>{3, 2, 1};
    config.train.train_h = config.train.train_w = 24;
    config.train.pad = 2;
    config.train.scale_min = config.train.scale_max = 1;
    config.train.rotate_prob = config.train.blur_prob = 0;
    config.train.batch_size = 4;
    config.train.base_lr = 0.05;
    config.train.new_layer_lr = 1;
    config.train.epochs = 4;
    config.train.print_freq = 1;
    config.train.manual_seed = 3;
    config.train.save_path = file(run);
    config.test.base_size = 0;
    config.test.test_h = config.test.test_w = 24;
    return config;
  }

 private:
  static constexpr const char* kNames[] = {"blue", "green", "red"};
  TempFolder folder_;
};

}  // namespace giza::train
