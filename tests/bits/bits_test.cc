// The same bits on every processor with a fused multiply-add: what 12 training steps leave of a PSPNet, 3 of each
// other network, and the labels that come of them, as hashes that were written down once. A change of the numbers on
// purpose (another algorithm, order of sums or initial weight) changes them: the message of the failed check has the
// new ones.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <bit>
#include <filesystem>
#include <string>
#include <vector>

#include "models/weights/weight_file.h"
#include "tensor/base/hash.h"
#include "tensor/simd.h"
#include "tests/support/scopes.h"
#include "tests/support/temp_folder.h"
#include "train/config/config.h"
#include "train/config/parts.h"
#include "train/data/dataset.h"
#include "train/data/scenes/scenes.h"
#include "train/tester.h"
#include "train/trainer.h"

namespace giza::train {
namespace {

/// Pictures of the built-in scenes, and trainings of small networks on them.
class Scenes {
 public:
  Scenes() { write_scenes(folder_.path(), 6, 2, options()); }

  /// All of the paper's augmentation, two crops of 49x65 a step.
  Config config(const std::string& arch, const std::vector<std::string>& settings) const {
    const std::string text = fmt::format(
        "DATA: {{data_root: {0}, train_list: {0}/train.txt, val_list: {0}/val.txt, classes: 12}}\n"
        "TRAIN: {{arch: {1}, layers: 18, blocks: [1, 1, 1, 1], width: 0.25, train_h: 49, train_w: 65, batch_size: 2,"
        " base_lr: 0.02, manual_seed: 5, class_weights: balanced, ema_decay: 0.9, warmup_iters: 2, rotate_prob: 1,"
        " brightness: 0.5, contrast: 0.5, saturation: 0.5, hue: 0.1, tensorboard: false, save_path: {0}/{1}}}\n"
        "TEST: {{test_list: {0}/val.txt, base_size: 0, test_h: 49, test_w: 65, scales: [0.75, 1.0, 1.5], mirror: true,"
        " model_path: {0}/{1}/last.safetensors}}\n",
        folder_.path(), arch);
    return parse_config(text, "bits.yaml", settings);
  }

 private:
  static SceneOptions options() {
    SceneOptions options;
    options.width = 96;
    options.height = 64;
    options.seed = 3;
    return options;
  }

  TempFolder folder_;
};

uint64_t hash_of_tensors(const std::string& file) {
  Fnv1a hash;
  for (const models::WeightTensor& tensor : models::read_weights(file).tensors) {
    hash.add_bytes(tensor.name);
    for (const float value : tensor.data) hash.add_word(std::bit_cast<uint32_t>(value));
    for (const int64_t value : tensor.integers) hash.add_word(static_cast<uint64_t>(value));
  }
  return hash.value();
}

/// Of the pictures of the validation list.
uint64_t hash_of_labels(const Config& config) {
  const TestedNetwork network = load_tested_network(config);
  const Predictor predict = bounded_predictor(network, config.test.model_path);
  const Dataset dataset(dataset_options(config, Split::test));
  Fnv1a hash;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    hash.add_bytes(predict(dataset.load(i)->image, dataset.entry(i)).index);
  }
  return hash.value();
}

std::string hex(uint64_t hash) { return fmt::format("{:016x}", hash); }

struct Row {
  std::string arch;
  std::vector<std::string> settings;
  std::string tensors;  // hash of the checkpoint's
  std::string labels;   // of its predictions
};

// 3 steps an epoch.
const Row kRows[] = {
    {"psp", {"TRAIN.epochs", "4", "TEST.crf", "true"}, "07f598897e5804e7", "f1ffc469e5933d07"},
    {"baseline", {"TRAIN.epochs", "1", "TRAIN.layers", "50"}, "d100a9cc37d27794", "f8a0705498dc0a32"},
    {"fcn8s", {"TRAIN.epochs", "1", "TRAIN.upsample", "learned"}, "1cc477fb93efd021", "634dfd7e86dc8628"},
    {"dilated", {"TRAIN.epochs", "1", "TRAIN.context", "basic"}, "71d1aaade984f7e7", "c8bbbf44090e2325"},
    {"largefov", {"TRAIN.epochs", "1", "TRAIN.fov_rate", "4"}, "58e902b16aeb30d4", "2dc98de49e889325"},
    {"aspp", {"TRAIN.epochs", "1", "TRAIN.aspp_msc", "true"}, "896502f9a5468f90", "019dfbe27605da5f"},
    {"deeplabv3", {"TRAIN.epochs", "1", "TRAIN.aspp_rates", "[2, 4, 6]"}, "2ceab51cb71765ff", "4e3a86aa22fc1325"},
    {"parsenet", {"TRAIN.epochs", "1", "TRAIN.fusion", "early"}, "b82f9f170e4ced97", "fa8a107d2f92f187"},
    {"segnet", {"TRAIN.epochs", "1"}, "4ba7a4812f48c640", "5c547de84778da5d"},
    {"cascade", {"TRAIN.epochs", "1", "TRAIN.object_classes", "[3, 4, 5]"}, "a645adcca310b9b4", "0a005aa6be5f5886"},
};

TEST_CASE("training steps and label maps: one hash on every processor") {
  const QuietScope quiet;
  const IsaScope restore;
  const Scenes scenes;
  for (const std::string& target : isa_targets()) {
    if (!isa_fuses(target)) continue;
    CAPTURE(target);
    set_isa(target);
    for (const Row& row : kRows) {
      CAPTURE(row.arch);
      const Config config = scenes.config(row.arch, row.settings);
      std::filesystem::remove_all(config.train.save_path);
      train(config);
      CHECK(hex(hash_of_tensors(config.test.model_path)) == row.tensors);
      CHECK(hex(hash_of_labels(config)) == row.labels);
    }
  }
}

}  // namespace
}  // namespace giza::train
