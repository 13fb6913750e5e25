// Training networks of whole pictures: that they learn, and to the same bits however they are run.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "models/weights/infer.h"
#include "tensor/base/check.h"
#include "tests/support/refusal.h"
#include "tests/support/scopes.h"
#include "tests/train/picture_set.h"
#include "tests/train/tiny_set.h"
#include "train/check/data_check.h"
#include "train/config/parts.h"
#include "train/cost/rehearsal.h"
#include "train/data/loader.h"
#include "train/eval/picture_classes.h"
#include "train/trainer.h"
#include "train/verify/verify.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;

std::string last_checkpoint(const Config& config) { return read_bytes(config.train.save_path + "/last.safetensors"); }

TEST_CASE("classifier: both kinds learn a data set by heart; evaluation counts pictures") {
  const QuietScope quiet;
  const ThreadScope threads(1);
  const PictureSet set;
  for (const std::string arch : {"classifier", "spp"}) {
    CAPTURE(arch);
    Config config = set.config(arch, arch);
    config.train.epochs = 40;
    config.train.base_lr = 0.01;
    config.train.evaluate = true;
    config.train.eval_freq = 40;
    const TrainResult result = train(config);
    REQUIRE(result.validation);
    const Evaluation& evaluation = *result.validation;
    CHECK(evaluation.whole_pictures);
    CHECK(evaluation.metrics.all_acc == doctest::Approx(1));
    CHECK(evaluation.metrics.macc == doctest::Approx(1));
    CHECK(evaluation.counts.at(2, 2) == 2);
    CHECK(evaluation.names == std::vector<std::string>{"blue", "green", "red"});
    const auto json = nlohmann::json::parse(metrics_json(evaluation));
    CHECK(json["allAcc"] == doctest::Approx(1));
    CHECK(json["classes"][1]["pictures"] == 2);
    CHECK_FALSE(json.contains("boundary"));
    CHECK(contains(metrics_table(evaluation), "(top-1)"));
    const std::string page = read_bytes(config.train.save_path + "/report.html");
    CHECK(contains(page, "top-1 accuracy"));
    CHECK_FALSE(contains(page, "pixel accuracy"));
    CHECK_FALSE(contains(page, "Boundaries"));

    // The file tells all that is needed to name a picture's class.
    const auto model = models::load_parser(config.train.save_path + "/last.safetensors");
    const Network network = network_of(*model);
    ProtocolOptions protocol = test_protocol(config);
    for (const bool mirror : {false, true}) {
      protocol.mirror = mirror;
      protocol.scales = {1.0, 1.25};
      const auto guesses = classify_picture(network, PictureSet::paint(1, 50), protocol, {"a", "b"}, 2);
      REQUIRE(guesses.size() == 2);
      CHECK(guesses[0].name == "b");
      CHECK(guesses[0].probability > 0.5);
      CHECK(guesses[0].probability + guesses[1].probability <= 1.000001);
      const auto line = nlohmann::json::parse(guess_json("x.png", guesses));
      CHECK(line["class"] == 1);
      CHECK(line["likeliest"].size() == 2);
    }
  }
}

TEST_CASE("classifier: probabilities are means over tiles, mirrored tiles and scales, whatever runs together") {
  // A network that answers by a picture's upper left pixel and its width.
  Network network;
  network.whole_picture = true;
  network.logits = [](const Tensor& pictures) {
    Tensor logits = Tensor::activation({pictures.dim(0), 1, 1, 2});
    for (int64_t i = 0; i < pictures.dim(0); ++i) {
      logits.row(i)[0] = pictures.row(i * pictures.dim(1) * pictures.dim(2))[0];
      logits.row(i)[1] = 0;
    }
    return logits;
  };
  Image image(10, 4);
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 10; ++x) image.at(x, y)[0] = static_cast<uint8_t>(20 * x);
  }
  const auto share = [](double red) {
    const double logit = (red - static_cast<double>(kImageNetMean[0])) / static_cast<double>(kImageNetStd[0]);
    return 1 / (1 + std::exp(-logit));
  };
  ProtocolOptions protocol{.base_size = 0, .crop_h = 4, .crop_w = 6, .scales = {1.0}, .mirror = true, .batch = 1};
  // Tiles at 0 and 4 (a step of ceil(6 * 2 / 3)), and their mirror images, which begin with the tile's last pixel.
  const double expected = (share(0) + share(100) + share(80) + share(180)) / 4;
  for (const int batch : {1, 3, 8}) {
    protocol.batch = batch;
    const Tensor probabilities = predict_probabilities(network, image, protocol);
    REQUIRE(probabilities.shape() == Shape{1, 1, 1, 2});
    CHECK(static_cast<double>(probabilities.data()[0]) == doctest::Approx(expected).epsilon(1e-5));
  }
  const LabelMap label = predict_labels(network, image, protocol);
  CHECK(label.width == 1);
  CHECK(label.height == 1);
  CHECK(label.at(0, 0) == (expected > 0.5 ? 0 : 1));
}

TEST_CASE(
    "classifier: the same bits with any threads and workers, and across a resume, with sizes and rates by epoch") {
  const QuietScope quiet;
  const ThreadScope threads(2);
  const PictureSet set;
  const auto config_of = [&](const std::string& run) {
    Config config = set.config(run, "spp");
    config.train.dropout = 0.3;
    config.train.epoch_sizes = {24, 32};
    config.train.lr_policy = "step";
    config.train.lr_steps = {5, 8};
    config.train.save_freq = 1;
    config.train.keep_checkpoints = 9;
    return config;
  };
  const Config config = config_of("a");
  train(config);
  Config other = config_of("b");
  other.train.threads = 1;
  other.train.workers = 4;
  train(other);
  CHECK(last_checkpoint(config) == last_checkpoint(other));
  other = config_of("c");
  fs::create_directories(other.train.save_path);
  other.train.resume = set.file("a/iter_00000006.safetensors");
  CHECK(train(other).steps == 6);
  CHECK(last_checkpoint(config) == last_checkpoint(other));

  other.train.resume = "auto";
  other.train.lr_steps = {5, 9};
  CHECK(contains(message_of<Refusal>([&] { train(other); }), "TRAIN.lr_steps: [5, 8], now [5, 9]"));
}

TEST_CASE("classifier: epochs alternate between sizes; a batch is of one size; a margin is around the picture") {
  const PictureSet set;
  Config config = set.config("run");
  config.train.epoch_sizes = {24, 16, 30};
  const Dataset dataset(dataset_options(config, Split::train));
  Loader loader(dataset, train_transforms(config), {.batch_size = 4, .workers = 0, .seed = 1});
  for (int64_t epoch = 0; epoch < 4; ++epoch) {
    for (int i = 0; i < 3; ++i) {
      const Batch batch = loader.next();
      const int64_t side = epoch == 1 ? 16 : epoch == 2 ? 30 : 24;
      CHECK(batch.images.shape() == Shape{4, side, side, 3});
      CHECK(batch.labels.values.size() == 4);
    }
  }
  CHECK(largest_sample(config.train).width == 30);
  config.train.train_h = 12;
  CHECK(largest_sample(config.train).height == 15);
  CHECK(rehearse_training(config, 1).parameters > 0);

  // Each of the 5 x 5 places of the picture inside of its margin occurs, and the rest is the mean.
  Image image(2, 2);
  std::fill(image.rgb.begin(), image.rgb.end(), uint8_t{255});
  TransformOptions options = TransformOptions::center_crop(2, 2);
  options.crop_type = CropType::random;
  options.pad = 2;
  options.whole_picture = true;
  std::set<std::vector<bool>> seen;
  int nothing = 0;
  for (uint32_t i = 0; i < 400; ++i) {
    const Sample sample = augment(image, LabelMap(1, 1, 7), options, 1, 0, i);
    CHECK(sample.labels == std::vector<int32_t>{7});
    std::vector<bool> white;
    for (size_t p = 0; p < 4; ++p) {
      white.push_back(sample.image[3 * p] > 1);
      if (!white.back()) CHECK(sample.image[3 * p] == doctest::Approx(0));
    }
    nothing += std::count(white.begin(), white.end(), true) == 0;
    seen.insert(white);
  }
  CHECK(nothing == doctest::Approx(400 * (1 - 0.6 * 0.6)).epsilon(0.15));  // 2 of 5 places each way are outside
  CHECK(seen.size() == 10);  // all, none, two halves each way, four corners
  CHECK_THROWS_AS(augment(image, LabelMap(2, 2), options, 1, 0, 0), ShapeError);
}

TEST_CASE("classifier: its weights start a parser; a parser's data and its own do not mix") {
  const QuietScope quiet;
  const ThreadScope threads(1);
  const PictureSet set;
  Config config = set.config("run");
  config.train.epochs = 1;
  train(config);
  const TinySet pixels;
  Config parser = pixels.config("parser");
  parser.train.epochs = 1;
  parser.train.weight = config.train.save_path + "/last.safetensors";
  CHECK(train(parser).steps == 4);
  config = set.config("again");
  config.train.epochs = 1;
  config.train.weight = parser.train.save_path + "/last.safetensors";
  CHECK(train(config).steps == 3);
}

TEST_CASE("classifier: balanced weights are by the number of pictures, and check reads the folders") {
  const QuietScope quiet;
  const PictureSet set(4, 2);
  fs::remove(set.picture("train", 0, 3));
  fs::remove(set.picture("train", 0, 2));
  Config config = set.config("run");
  config.train.class_weights.kind = ClassWeights::Kind::balanced;
  const Dataset dataset(dataset_options(config, Split::train));
  CHECK(class_weights(config, dataset).to_vector() == std::vector<float>{2, 1, 1});

  DataReport report = check_data(config, {.progress = false});
  CHECK(report.ok());
  REQUIRE(report.parts.size() == 2);
  CHECK(report.parts[0].classes[0].pictures == 2);
  CHECK(report.parts[0].classes[1].pictures == 4);
  CHECK(report.names == std::vector<std::string>{"blue", "green", "red"});
  write_bytes(set.picture("train", 1, 0), "no picture");
  fs::copy_file(set.picture("train", 2, 0), set.picture("val", 2, 9));
  report = check_data(config, {.progress = false});
  CHECK_FALSE(report.ok());
  const std::string text = report_text(report);
  CHECK(contains(text, set.picture("train", 1, 0)));
  CHECK(contains(text, "figures on them say nothing of new pictures"));
}

TEST_CASE("classifier: PyTorch's logits, losses, gradients and steps") {
  for (const char* name : {"mean", "spp"}) {
    CAPTURE(name);
    const std::string folder = std::string(GIZA_SOURCE_DIR "/tests/golden/classifiers/") + name;
    for (const ConvEngine& conv : {ConvEngine{ConvBackend::native, ConvAlgorithm::direct}, ConvEngine{}}) {
      const Verification result = verify_folder(folder, conv);
      CHECK(result.passed());
      REQUIRE(result.logits);
      CHECK(result.logits->relative_l2 < 1e-6);
      CHECK(result.argmax->pixels == 3);
      CHECK(result.losses.size() == 1);
      CHECK(result.gradients.size() == 38);
      CHECK(result.steps.size() == (name == std::string("mean") ? 2 : 0));
    }
  }
}

}  // namespace
}  // namespace giza::train
