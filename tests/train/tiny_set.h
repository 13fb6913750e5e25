// A data set of a few small pictures on disk, and a configuration that trains a tiny net on it in a moment.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

#include "tensor/random.h"
#include "tests/support/temp_folder.h"
#include "train/config/config.h"
#include "train/data/dataset.h"

namespace giza::train {

/// Noise whose colour tells the class; a ninth of the pixels is ignored.
class TinySet {
 public:
  static constexpr int kClasses = 3;

  explicit TinySet(int pictures = 8) {
    std::string list;
    for (int i = 0; i < pictures; ++i) {
      Image image(36, 28 + i % 2);
      LabelMap labels(image.width, image.height);
      Random random(5, Purpose::test, 0, static_cast<uint32_t>(i));
      for (int y = 0; y < image.height; ++y) {
        for (int x = 0; x < image.width; ++x) {
          const auto label = static_cast<uint8_t>((x / 12 + y / 10 + i) % kClasses);
          labels.at(x, y) = x % 3 == 0 && y % 3 == 0 ? 255 : label;
          for (int c = 0; c < 3; ++c) {
            image.at(x, y)[c] = static_cast<uint8_t>(random.next_below(100) + (c == label ? 150 : 0));
          }
        }
      }
      const std::string stem = fmt::format("p{}", i);
      write_image(folder_.file(stem + ".png"), image);
      write_labels(folder_.file(stem + "_label.png"), labels);
      list += stem + ".png " + stem + "_label.png\n";
    }
    write_bytes(folder_.file("list.txt"), list);
  }

  std::string file(const std::string& name) const { return folder_.file(name); }

  /// 4 iterations an epoch, one residual block a stage, 8 to 64 channels. The run folder is `run` below the data.
  Config config(const std::string& run) const {
    Config config;
    config.file = "tiny.yaml";
    config.data.data_root = folder_.path();
    config.data.train_list = config.data.val_list = file("list.txt");
    config.data.classes = kClasses;
    config.train.layers = 18;
    config.train.blocks = {1, 1, 1, 1};
    config.train.width = 0.125;
    config.train.network["bins"] = std::vector<int>{1, 2};
    config.train.train_h = config.train.train_w = 25;
    config.train.batch_size = 2;
    config.train.epochs = 3;
    config.train.print_freq = 1;
    config.train.manual_seed = 3;
    config.train.save_path = file(run);
    config.test.base_size = 0;
    config.test.whole_image = true;
    return config;
  }

  DatasetOptions dataset() const {
    DatasetOptions options;
    options.data_root = folder_.path();
    options.list = file("list.txt");
    options.classes = kClasses;
    return options;
  }

 private:
  TempFolder folder_;
};

}  // namespace giza::train
