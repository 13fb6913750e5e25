// Training a tiny net: what it writes, how it goes on, and what stops it.
#include "train/trainer.h"

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "autograd/watching.h"
#include "models/weights/weight_file.h"
#include "tensor/base/check.h"
#include "tests/support/refusal.h"
#include "tests/train/trainings.h"
#include "train/checkpoint.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;

TEST_CASE("train: the loss falls; log, checkpoints and configuration are written") {
  const Quiet quiet;
  const TinySet set;
  Config config = set.config("run");
  config.train.epochs = 10;
  config.train.print_freq = 3;
  config.train.base_lr = 0.02;
  config.train.manual_seed = 2;
  config.train.evaluate = true;
  config.train.eval_freq = 4;
  const TrainResult result = train(config);
  CHECK(result.iterations == 40);
  REQUIRE(result.validation);
  CHECK(result.validation->metrics.all_acc > 0.5);  // a third by chance

  const std::vector<nlohmann::json> log = log_of(config);
  std::vector<int64_t> steps, validations;
  for (const nlohmann::json& line : log) (line["type"] == "train" ? steps : validations).push_back(line["iteration"]);
  CHECK(std::vector<int64_t>(steps.begin(), steps.begin() + 6) == std::vector<int64_t>{3, 4, 6, 8, 9, 12});
  CHECK(validations == std::vector<int64_t>{16, 32, 40});
  CHECK(log[0]["epoch"] == 1);
  CHECK(log[0]["lr"] == doctest::Approx(0.02 * std::pow(1 - 2.0 / 40, 0.9)));
  CHECK(log[0]["loss"].get<double>() ==
        doctest::Approx(log[0]["main_loss"].get<double>() + 0.4 * log[0]["aux_loss"].get<double>()));
  CHECK(log.back()["protocol"] == "single-scale, picture's own size, whole picture, not mirrored");
  CHECK(log.back()["mIoU"] == result.validation->metrics.miou);
  CHECK(log[log.size() - 2]["loss"].get<double>() < 0.8 * log[0]["loss"].get<double>());
  CHECK(log[log.size() - 2]["accuracy"].get<double>() > 0.4);

  CHECK(training_hash(load_config(config.train.save_path + "/config.yaml")) == training_hash(config));
  CHECK(fs::exists(config.train.save_path + "/iter_00000036.safetensors"));
  CHECK(!fs::exists(config.train.save_path + "/iter_00000032.safetensors"));
  CHECK(result.checkpoint == config.train.save_path + "/iter_00000040.safetensors");
}

TEST_CASE(
    "train: averaged weights are saved and validated beside those of the last step, which stay the training's own") {
  const Quiet quiet;
  const TinySet set;
  Config plain = set.config("plain"), averaged = set.config("averaged"), resumed = set.config("resumed");
  for (Config* config : {&plain, &averaged, &resumed}) {
    config->train.epochs = 3;
    config->train.evaluate = true;
  }
  averaged.train.ema_decay = resumed.train.ema_decay = 0.9;
  CHECK(losses_of(plain) == losses_of(averaged));  // an average changes no step
  const auto last = [](const Config& config) {
    return models::read_weights(config.train.save_path + "/last.safetensors");
  };
  const models::WeightFile without = last(plain), with = last(averaged);
  int differing = 0;
  for (const models::WeightTensor& tensor : without.tensors) {
    if (tensor.name.starts_with("optim.") || tensor.data.empty()) continue;
    CAPTURE(tensor.name);
    CHECK(with.find("optim.weights." + tensor.name)->data == tensor.data);
    differing += with.find(tensor.name)->data != tensor.data;
  }
  CHECK(differing > 10);
  CHECK(log_of(plain).back()["mIoU"] != log_of(averaged).back()["mIoU"]);

  interrupt_at(resumed, 5, SIGTERM);
  resumed.train.resume = "auto";
  train(resumed);
  CHECK(last_checkpoint(resumed) == last_checkpoint(averaged));

  // The average begins with the weights that the training begins with: without steps it stays there.
  Config still = set.config("still");
  still.train.base_lr = 0;
  still.train.ema_decay = 0.9;
  still.train.weight = plain.train.save_path + "/last.safetensors";
  train(still);
  CHECK(last(still).find("layer1.0.conv1.weight")->data == without.find("layer1.0.conv1.weight")->data);

  resumed.train.ema_decay = 0;
  CHECK(contains(message_of<Refusal>([&] { train(resumed); }), "TRAIN.ema_decay"));
}

TEST_CASE("train: after a kill the newest whole checkpoint counts, and the log has no line twice") {
  const Quiet quiet;
  const TinySet set;
  const Config whole = set.config("whole");
  const std::vector<double> reference = losses_of(whole);
  Config config = set.config("killed");
  losses_of(config);
  // As if killed after epoch 2, the file of epoch 3 half on disk and a line of the log half written.
  const std::string last = config.train.save_path + "/iter_00000012.safetensors";
  write_bytes(last, read_bytes(last).substr(0, 5000));
  std::ofstream(config.train.save_path + "/log.jsonl", std::ios::app) << R"({"type":"train","iter)";
  CHECK(contains(message_of<Refusal>([&] { train(config); }), "TRAIN.resume auto"));
  config.train.resume = "auto";
  CHECK(losses_of(config) == std::vector<double>(reference.begin() + 8, reference.end()));
  CHECK(last_checkpoint(config) == last_checkpoint(whole));
  CHECK(timeless_log_of(config) == timeless_log_of(whole));

  // From a named checkpoint, into another folder.
  Config named = set.config("named");
  named.train.resume = whole.train.save_path + "/iter_00000008.safetensors";
  CHECK(losses_of(named) == std::vector<double>(reference.begin() + 8, reference.end()));
  // Not under other settings, nor with another list.
  named.train.save_path = set.file("other");
  named.train.base_lr = 0.5;
  CHECK(contains(message_of<Refusal>([&] { train(named); }), "other settings: TRAIN.base_lr: 0.01, now 0.5; use"));
  named = set.config("other");
  named.train.resume = whole.train.save_path + "/iter_00000008.safetensors";
  std::string list = read_bytes(named.data.train_list);
  write_bytes(set.file("turned.txt"), list.substr(list.find('\n') + 1) + list.substr(0, list.find('\n') + 1));
  named.data.train_list = set.file("turned.txt");
  CHECK(contains(message_of<Refusal>([&] { train(named); }), "another list"));
  // Nothing whole is left.
  for (const char* name : {"/iter_00000008.safetensors", "/iter_00000012.safetensors"}) {
    write_bytes(config.train.save_path + name, "x");
  }
  CHECK(contains(message_of<Refusal>([&] { train(config); }), "none of its checkpoints is whole"));
}

TEST_CASE("train: resumed with more epochs, or with nothing left to do") {
  const Quiet quiet;
  const TinySet set;
  Config config = set.config("run");
  const std::vector<double> first = losses_of(config);
  config.train.resume = "auto";
  const TrainResult nothing = train(config);
  CHECK(nothing.steps == 0);
  CHECK(nothing.iterations == 12);
  CHECK(nothing.loss == log_of(config).back()["loss"]);
  config.train.epochs = 5;
  CHECK(losses_of(config).size() == 8);
  CHECK(train(config).iterations == 20);
  config.train.epochs = 4;
  CHECK(contains(message_of<Refusal>([&] { train(config); }), "stands at iteration 20, TRAIN.epochs 4 are 16"));
}

TEST_CASE("train: going on from an older checkpoint sets the later ones aside, so that auto follows the new branch") {
  const Quiet quiet;
  const TinySet set;
  Config config = set.config("run");
  config.train.keep_checkpoints = 9;
  train(config);
  const std::string whole = last_checkpoint(config);
  config.train.resume = config.train.save_path + "/iter_00000004.safetensors";
  config.train.epochs = 1;
  const size_t lines = log_of(config).size();
  train(config);  // nothing is left to do, and nothing changes
  CHECK(log_of(config).size() == lines);
  CHECK(last_checkpoint(config) == whole);

  config.train.epochs = 4;
  interrupt_at(config, 6, SIGTERM);
  CHECK(std::filesystem::exists(config.train.save_path + "/aside_iter_00000012.safetensors"));
  config.train.resume = "auto";
  train(config);
  Config straight = set.config("straight");
  train(straight);
  straight.train.epochs = 4;
  straight.train.keep_checkpoints = 9;
  straight.train.resume = config.train.save_path + "/iter_00000004.safetensors";
  straight.train.save_path = set.file("other");
  train(straight);
  CHECK(last_checkpoint(config) == last_checkpoint(straight));
}

TEST_CASE("train: a resume that is refused says what differs before what does not fit") {
  const Quiet quiet;
  const TinySet set;
  Config config = set.config("run");
  train(config);
  config.train.resume = "auto";
  config.train.stem = "plain";
  CHECK(contains(message_of<Refusal>([&] { train(config); }), "TRAIN.stem: 'deep', now 'plain'"));
  config.train.stem = "deep";
  const std::string list = read_bytes(config.data.train_list);
  write_bytes(set.file("short.txt"), list.substr(0, list.find('\n', list.size() / 2) + 1));
  config.data.train_list = set.file("short.txt");
  CHECK(contains(message_of<Refusal>([&] { train(config); }), "was trained on another list"));
}

TEST_CASE("train: what was judged before it ended is not judged again") {
  const Quiet quiet;
  const TinySet set;
  Config config = set.config("run");
  config.train.evaluate = true;
  CHECK(train(config).validation);
  const size_t lines = log_of(config).size();
  config.train.resume = "auto";
  CHECK(!train(config).validation);
  CHECK(log_of(config).size() == lines);
}

TEST_CASE("train: a link that a kill left behind is mended") {
  const Quiet quiet;
  const TinySet set;
  Config config = set.config("run");
  losses_of(config);
  const std::string last = config.train.save_path + "/last.safetensors", newest = last_checkpoint(config);
  fs::remove(last);
  fs::create_symlink("iter_00000008.safetensors", last);
  REQUIRE(last_checkpoint(config) != newest);
  config.train.resume = "auto";
  train(config);
  CHECK(last_checkpoint(config) == newest);
  fs::remove(last);
  train(config);
  CHECK(last_checkpoint(config) == newest);
}

TEST_CASE("train: a terminal that is closed saves the work") {
  const Quiet quiet;
  const TinySet set;
  Config config = set.config("run");
  const std::vector<double> whole = losses_of(config);
  Config closed = set.config("closed");
  interrupt_at(closed, 5, SIGHUP);
  closed.train.resume = "auto";
  CHECK(losses_of(closed) == std::vector<double>(whole.begin() + 5, whole.end()));
}

namespace {

/// Trains for one epoch, changes one tensor of the result, and makes `config` start from that in a folder of its own.
template <class Edit>
void start_from_altered(const TinySet& set, Config& config, const char* tensor_name, const Edit& edit) {
  config.train.epochs = 1;
  train(config);
  models::WeightFile file = models::read_weights(config.train.save_path + "/last.safetensors");
  for (models::WeightTensor& tensor : file.tensors) {
    if (tensor.name == tensor_name) std::for_each(tensor.data.begin(), tensor.data.end(), edit);
  }
  file.metadata.clear();  // and with it the checksum of what it was
  config.train.weight = set.file("altered.safetensors");
  models::write_weights(config.train.weight, file);
  config.train.save_path = set.file("altered");
}

}  // namespace

TEST_CASE("train: numbers that are not finite stop it before the update, with iteration and samples named") {
  const Quiet quiet;
  const TinySet set;
  Config config = set.config("wild");
  config.train.base_lr = 1000;
  config.train.new_layer_lr = 1e6;
  const std::string text = message_of<Error>([&] { train(config); });
  CHECK(text.starts_with("iteration "));
  CHECK(contains(text, "NaN or infinite"));
  CHECK(contains(text, ".png, "));
  CHECK(contains(text, "TRAIN.base_lr"));

  // Logits beyond float's range: an op's own output.
  config = set.config("first");
  start_from_altered(set, config, "cls.4.weight", [](float& value) { value = 3e38F; });
  const std::string loss = message_of<Diverged>([&] { train(config); });
  CHECK(contains(loss, "iteration 1: the loss is NaN or infinite"));
  CHECK(contains(loss, "the weights of TRAIN.weight are not sound"));
  const autograd::TraceNonFinite trace;
  const std::string traced = message_of<Diverged>([&] { train(config); });
  CHECK(contains(traced, "conv2d gave NaN or infinity first, in its output [2,4,4,3]"));
  CHECK(contains(traced, ".png, "));
}

TEST_CASE("train: weights that an update makes infinite are not saved") {
  const Quiet quiet;
  const TinySet set;
  Config config = set.config("first");
  config.train.batch_size = 8;  // all pictures: one update
  start_from_altered(set, config, "cls.4.bias", [](float& value) { value = 1e35F; });
  config.train.weight_decay = 1;
  config.train.base_lr = 1000;
  const std::string text = message_of<Diverged>([&] { train(config); });
  CHECK(contains(text, "iteration 1: cls.4.bias became NaN or infinite; it was not saved; no checkpoint"));
  CHECK(!std::filesystem::exists(config.train.save_path + "/last.safetensors"));
}

TEST_CASE("train: an infinite running variance stops the first step, though no output shows it") {
  const Quiet quiet;
  const TinySet set;
  Config config = set.config("first");
  start_from_altered(set, config, "layer1.0.conv1.weight", [](float& value) { value *= 1e30F; });
  try {
    train(config);
    FAIL("it went on");
  } catch (const Diverged& error) {
    const std::string text = error.what();
    CAPTURE(text);
    CHECK(
        contains(text, "iteration 1: layer1.0.bn1.running_var became NaN or infinite: the activations are too large"));
    CHECK(contains(text, "the weights of TRAIN.weight are not sound"));
    CHECK_FALSE(error.op_known());
  }
}

TEST_CASE("train: initial weights; without an auxiliary head; class weights; warm-up; start_epoch") {
  const Quiet quiet;
  const TinySet set;
  Config config = set.config("first");
  config.train.epochs = 1;
  losses_of(config);
  Config plain = set.config("plain"), weighted = set.config("weighted");
  weighted.train.weight = config.train.save_path + "/last.safetensors";
  const std::vector<double> random = losses_of(plain), loaded = losses_of(weighted);
  CHECK(random.size() == 12);
  CHECK(loaded.size() == 12);
  CHECK(loaded[0] != random[0]);

  Config bare = set.config("bare");
  bare.train.aux_weight = 0;
  bare.train.class_weights.kind = ClassWeights::Kind::balanced;
  bare.train.warmup_iters = 4;
  bare.train.start_epoch = 1;
  bare.train.arch = "baseline";
  CHECK(losses_of(bare).size() == 8);
  CHECK(log_of(bare)[0]["aux_loss"] == 0);
  CHECK(log_of(bare)[0]["iteration"] == 5);
  weighted.train.save_path = set.file("bad");
  weighted.train.weight = set.file("none");
  CHECK_THROWS_AS(train(weighted), Refusal);
}

TEST_CASE("train: weights that learned from pictures of another scale are refused, unless the keys say what is meant") {
  const Quiet quiet;
  const TinySet set;
  Config config = set.config("first");
  config.train.epochs = 1;
  config.data.mean = {123.68, 116.779, 103.939};
  config.data.std = {1, 1, 1};
  losses_of(config);
  Config other = set.config("other");
  other.train.epochs = 1;
  other.train.weight = config.train.save_path + "/last.safetensors";
  const std::string text = message_of<Refusal>([&] { train(other); });
  CHECK(contains(text, "mean (123.68, 116.779, 103.939) and std (1, 1, 1)"));
  CHECK(contains(text, "set DATA.mean and DATA.std"));
  other.data.mean = {123.675, 116.28, 103.53};
  other.data.std = {58.395, 57.12, 57.375};
  CHECK_NOTHROW(train(other));
}

TEST_CASE("train: what cannot be trained is refused") {
  const Quiet quiet;
  const TinySet set;
  const auto refused = [&](auto change) {
    Config config = set.config("refused");
    change(config);
    return message_of<Refusal>([&] { train(config); });
  };
  CHECK(contains(refused([](Config& c) { c.train.batch_size = 9; }), "batch"));
  CHECK(contains(refused([](Config& c) { c.data.train_list = ""; }), "train_list"));
  CHECK(contains(refused([](Config& c) { c.data.classes = 2; }), "label 2"));
  CHECK(contains(refused([](Config& c) { c.train.evaluate = true, c.data.val_list = ""; }), "val_list"));
  // One picture a batch: the pyramid's 1x1 bin has a single value per channel.
  const std::string alone = refused([](Config& c) { c.train.batch_size = 1; });
  CHECK(alone.starts_with("tiny.yaml: ppm: the bin of 1 has a single value"));
  CHECK(contains(alone, "use a larger batch, or bins without 1"));
  const RunFolder held(set.file("held"));
  CHECK(contains(message_of<Refusal>([&] { train(set.config("held")); }), "another run"));
}

}  // namespace
}  // namespace giza::train
