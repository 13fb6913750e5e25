// Label maps that a training makes for itself: the same bits whatever stops it, and no others in silence.
#include "train/label_rounds.h"

#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <vector>

#include "models/weights/state_dict.h"
#include "tensor/base/check.h"
#include "tests/support/refusal.h"
#include "tests/support/scopes.h"
#include "tests/train/tiny_set.h"
#include "tests/train/trainings.h"
#include "train/config/parts.h"
#include "train/signals.h"
#include "train/tester.h"
#include "train/trainer.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;

/// Eight pictures with a thing in the shape of an L, which covers most of its box, and a square one in its corner;
/// colours tell the classes. The labels of a box are wrong in a part that a net soon gets right.
class CornerSet {
 public:
  CornerSet() {
    for (int i = 0; i < 8; ++i) {
      Image image(36, 32);
      LabelMap labels(image.width, image.height);
      Random random(7, Purpose::test, 0, static_cast<uint32_t>(i));
      for (int y = 0; y < image.height; ++y) {
        for (int x = 0; x < image.width; ++x) {
          const int left = 2 + i % 4, top = 2 + i % 3;
          const bool box = x >= left && x < left + 28 && y >= top && y < top + 26;
          const bool corner = x >= left + 14 && y < top + 13, square = x >= left + 20 && y < top + 6;
          labels.at(x, y) = box && !corner ? 1 : box && square ? 2 : 0;
          if (x % 9 == 0 && y % 9 == 0) labels.at(x, y) = 255;
          for (int c = 0; c < 3; ++c) {
            image.at(x, y)[c] = static_cast<uint8_t>(random.next_below(12) + (c == labels.at(x, y) ? 200 : 20));
          }
        }
      }
      const std::string stem = fmt::format("p{}", i);
      write_image(set_.file(stem + ".png"), image);
      write_labels(set_.file(stem + "_label.png"), labels);
    }
  }

  std::string file(const std::string& name) const { return set_.file(name); }

  /// Six epochs of four iterations: rounds of two epochs each, or one of box_crf.
  Config config(const std::string& run, const std::string& kind) const {
    Config config = set_.config(run);
    config.data.weak_labels = kind;
    config.data.thing_classes = {"1", "2"};
    config.train.epochs = 6;
    config.train.train_h = 33;
    config.train.train_w = 41;
    config.train.scale_min = config.train.scale_max = 1;
    config.train.rotate_prob = config.train.blur_prob = 0;
    config.train.base_lr = 0.03;
    config.train.bn_momentum = 0.5;
    config.train.keep_checkpoints = 9;
    config.train.tensorboard = false;
    config.test.crf_options = {.bilateral_weight = 10, .bilateral_xy = 20, .bilateral_rgb = 10};
    return config;
  }

 private:
  TinySet set_;  // its list, and pictures of other contents
};

/// Everything of a run that has to be the same, by its path in the run folder: weights and label maps.
std::map<std::string, std::string> results_of(const Config& config) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(config.train.save_path)) {
    const std::string kind = entry.path().extension().string();
    if (kind != ".safetensors" && kind != ".png") continue;
    files[entry.path().lexically_relative(config.train.save_path).string()] = read_bytes(entry.path().string());
  }
  return files;
}

void stop_at(const Config& config, int64_t iteration) {
  CHECK_THROWS_AS(train(config,
                        [&](int64_t done, double) {
                          if (done == iteration) std::raise(SIGTERM);
                        }),
                  Interrupted);
}

std::string map_of_round(const Config& config, int round, int picture) {
  return fmt::format("{}/weak_labels/round_{}/{:06}_p{}.png", config.train.save_path, round, picture + 1, picture);
}

/// As if the checkpoint of this iteration were the newest.
void drop_checkpoints_after(const Config& config, int64_t iteration) {
  for (int64_t later = iteration + 1; later <= 24; ++later) {
    fs::remove(fmt::format("{}/iter_{:08}.safetensors", config.train.save_path, later));
  }
}

}  // namespace

TEST_CASE("label rounds: where they begin and end") {
  Config config;
  config.train.epochs = 7;
  config.data.weak_labels = "box_update";
  config.data.weak_rounds = 2;
  std::vector<std::array<int64_t, 3>> rounds;
  for (int64_t epoch = 0; epoch < 7; ++epoch) {
    const LabelRound round = label_round(config, epoch);
    rounds.push_back({round.index, round.first_epoch, round.end_epoch});
    CHECK(round.folder == (round.index == 0 ? "" : fmt::format("weak_labels/round_{}", round.index)));
  }
  const std::array<int64_t, 3> first{0, 0, 2}, second{1, 2, 4}, third{2, 4, 7};
  CHECK(rounds == std::vector<std::array<int64_t, 3>>{first, first, second, second, third, third, third});
  // Each round has an epoch, however many there are.
  for (int epochs = 2; epochs < 12; ++epochs) {
    for (int updates = 1; updates < epochs; ++updates) {
      config.train.epochs = epochs;
      config.data.weak_rounds = updates;
      int64_t begin = 0;
      for (int64_t index = 0; index <= updates; ++index) {
        const LabelRound round = label_round(config, begin);
        CHECK(round.index == index);
        CHECK(round.first_epoch == begin);
        CHECK(round.end_epoch > begin);
        begin = round.end_epoch;
      }
      CHECK(begin == epochs);
    }
  }
  config.data.weak_labels = "box_crf";
  CHECK(label_round(config, 5).folder == "weak_labels/crf");
  CHECK(label_round(config, 5).end_epoch == config.train.epochs);
  config.data.weak_labels = "mixed";
  CHECK(label_round(config, 5).folder.empty());
}

TEST_CASE("label rounds: box_update learns from what it found, to the same bits at any number of threads") {
  const QuietScope quiet;
  const CornerSet set;
  const Config config = set.config("one", "box_update");
  {
    const ThreadScope one(1);
    train(config);
  }
  Config other = set.config("three", "box_update");
  other.train.threads = 3;
  other.train.workers = 5;
  other.train.batch_size_val = 1;
  {
    const ThreadScope back(1);
    train(other);
  }
  const auto results = results_of(config);
  CHECK(results_of(other) == results);
  CHECK(results.contains("weak_labels/round_1/000001_p0.png"));
  CHECK(results.contains("weak_labels/round_2/000008_p7.png"));

  // The maps are what the rule makes of the masks and of the predictions of the round's first weights.
  const Dataset masks(dataset_options(config, Split::train));
  for (const int round : {1, 2}) {
    Config tested = config;
    tested.test.model_path = fmt::format("{}/iter_{:08}.safetensors", config.train.save_path, 8 * round);
    const TestedNetwork network = load_tested_network(tested);
    const Predictor predictor = network_predictor(network_of(*network.model), label_protocol(config));
    int64_t changed = 0;
    for (int i = 0; i < 8; ++i) {
      const Pair pair = masks.unweakened(i);
      const LabelMap made = read_labels(map_of_round(config, round, i)), boxed = masks.load(i)->labels;
      CHECK(made.index ==
            updated_boxes(pair.labels, predictor(pair.image, masks.entry(i)), masks.options().weak, 255).labels.index);
      for (size_t p = 0; p < made.index.size(); ++p) changed += made.index[p] != boxed.index[p];
    }
    CHECK(changed > 50);
  }
  // Another training than that on boxes alone, and the first round is the same.
  Config boxes = set.config("boxes", "box");
  train(boxes);
  const auto first_losses = [](const Config& of) {
    std::map<int, double> losses;
    for (const nlohmann::json& line : log_of(of)) {
      if (line["type"] == "train" && line["iteration"] <= 8) losses[line["iteration"]] = line["loss"];
    }
    return losses;
  };
  CHECK(first_losses(boxes).contains(8));
  CHECK(first_losses(boxes) == first_losses(config));
  const auto weights = [](const Config& of) {  // alone: what the files say of the training differs anyway
    std::vector<std::vector<float>> all;
    for (auto& tensor : models::read_weights(of.train.save_path + "/last.safetensors").tensors)
      all.push_back(tensor.data);
    return all;
  };
  CHECK(weights(boxes) != weights(config));
}

TEST_CASE("label rounds: interrupted anywhere and resumed, the same bits as in one go") {
  const QuietScope quiet;
  const ThreadScope threads(2);
  const CornerSet set;
  const Config whole = set.config("whole", "box_update");
  train(whole);
  const auto reference = results_of(whole);
  // In the last step before labels are made, in the first one after that, and in the last round.
  for (const int64_t stop : {8, 9, 21}) {
    CAPTURE(stop);
    Config parts = set.config(fmt::format("stop{}", stop), "box_update");
    stop_at(parts, stop);
    parts.train.resume = "auto";
    train(parts);
    auto results = results_of(parts);
    std::erase_if(results, [&](const auto& file) { return !reference.contains(file.first); });  // saved when stopped
    CHECK(results == reference);
  }
  // Killed while the labels of round 2 were made: some are there, one is half, one is of another run.
  Config killed = set.config("killed", "box_update");
  train(killed);
  drop_checkpoints_after(killed, 16);
  killed.train.resume = "auto";
  fs::remove(map_of_round(killed, 2, 3));
  write_bytes(map_of_round(killed, 2, 5), read_bytes(map_of_round(killed, 2, 5)).substr(0, 40));
  fs::copy_file(map_of_round(killed, 1, 0), map_of_round(killed, 2, 0), fs::copy_options::overwrite_existing);
  train(killed);
  CHECK(results_of(killed) == reference);
  // Killed before the checkpoint at the round's beginning was whole: the epoch before it comes again.
  drop_checkpoints_after(killed, 12);
  train(killed);
  CHECK(results_of(killed) == reference);
}

TEST_CASE("label rounds: a signal while labels are made") {
  const QuietScope quiet;
  const CornerSet set;
  const Config config = set.config("run", "box_update");
  const Dataset masks(dataset_options(config, Split::train));
  LabelRounds labels(config, masks, config.train.save_path);
  const SignalGuard guard;
  int asked = 0;
  const Predictor predictor = [&](const Image& image, const ListEntry&) {
    if (++asked == 3) std::raise(SIGTERM);
    return LabelMap(image.width, image.height, 1);
  };
  CHECK_THROWS_AS(labels.make(label_round(config, 2), predictor), Interrupted);
  CHECK(asked == 3);
  CHECK(labels.hash().empty());
  CHECK(&labels.dataset() == &masks);
}

TEST_CASE("label rounds: other maps than those of the checkpoint are refused; those beside it are taken along") {
  const QuietScope quiet;
  const ThreadScope threads(1);
  const CornerSet set;
  const Config whole = set.config("whole", "box_update");
  train(whole);
  const auto reference = results_of(whole);
  // From a named checkpoint in the middle of round 1, into another folder.
  Config named = set.config("named", "box_update");
  named.train.resume = whole.train.save_path + "/iter_00000012.safetensors";
  train(named);
  CHECK(read_bytes(named.train.save_path + "/last.safetensors") == reference.at("last.safetensors"));
  CHECK(read_bytes(map_of_round(named, 1, 7)) == reference.at("weak_labels/round_1/000008_p7.png"));

  Config changed = set.config("changed", "box_update");
  train(changed);
  drop_checkpoints_after(changed, 12);
  changed.train.resume = "auto";
  const std::string file = map_of_round(changed, 1, 2), map = read_bytes(file);
  LabelMap labels = read_labels(file);
  labels.at(20, 20) = labels.at(20, 20) == 0 ? 1 : 0;
  write_labels(file, labels);
  const auto fault = [&] { return message_of<Refusal>([&] { train(changed); }); };
  CHECK(contains(fault(), changed.train.save_path + "/weak_labels/round_1: these are not the label maps that"));
  CHECK(contains(fault(), "go on from a checkpoint of epoch 2 or before"));
  fs::remove(file);
  CHECK(contains(fault(), "some are missing"));
  write_bytes(file, map);
  train(changed);
  CHECK(results_of(changed) == reference);
  // More epochs would move the rounds.
  changed.train.epochs = 9;
  CHECK(contains(fault(), "was trained with other settings: TRAIN.epochs: 6, now 9"));
}

TEST_CASE("label rounds: box_crf makes its labels once, before the first step") {
  const QuietScope quiet;
  const ThreadScope threads(2);
  const CornerSet set;
  Config config = set.config("whole", "box_crf");
  train(config);
  const auto reference = results_of(config);
  const Dataset masks(dataset_options(config, Split::train));
  int64_t ignored = 0;
  for (int i = 0; i < 8; ++i) {
    const LabelMap made =
        read_labels(fmt::format("{}/weak_labels/crf/{:06}_p{}.png", config.train.save_path, i + 1, i));
    const LabelMap boxed = masks.load(i)->labels;
    for (size_t p = 0; p < made.index.size(); ++p) {
      CHECK((made.index[p] == boxed.index[p] || made.index[p] == 255));
      ignored += made.index[p] != boxed.index[p];
    }
  }
  CHECK(ignored > 100);
  Config parts = set.config("parts", "box_crf");
  stop_at(parts, 5);
  const std::string one = parts.train.save_path + "/weak_labels/crf/000001_p0.png";
  const auto made = fs::last_write_time(one);
  parts.train.resume = "auto";
  train(parts);
  CHECK(fs::last_write_time(one) == made);
  auto results = results_of(parts);
  results.erase("iter_00000005.safetensors");
  CHECK(results == reference);
  // Another CRF is another training.
  parts.test.crf_options.iterations = 3;
  CHECK(contains(message_of<Refusal>([&] { train(parts); }), "TEST.crf_iterations: 10, now 3"));
}

}  // namespace giza::train
