// Configuration: semseg's files, our keys, overrides, writing back. What is refused: config_faults_test.cc.
#include "train/config/config.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <set>
#include <string>

#include "tensor/base/check.h"
#include "tests/support/refusal.h"
#include "tests/train/config/refused_config.h"
#include "train/config/keys.h"

namespace giza::train {

TEST_CASE("semseg's ADE20K, VOC and Cityscapes files load unchanged") {
  const Config ade = load_config(golden("semseg_ade20k.yaml"));
  CHECK(ade.data.data_root == "dataset/ade20k");
  CHECK(ade.data.train_list == "dataset/ade20k/list/training.txt");
  CHECK(ade.data.classes == 150);
  CHECK(ade.train.arch == "psp");
  CHECK(ade.train.layers == 50);
  CHECK(ade.train.train_h == 473);
  CHECK(ade.train.scale_max == 2.0);
  CHECK(ade.train.rotate_min == -10);
  CHECK(ade.train.weight_decay == 1e-4);
  CHECK(ade.train.workers == 16);
  CHECK(ade.train.manual_seed == 0);
  CHECK(ade.train.save_path == "exp/ade20k/pspnet50/model");
  CHECK(ade.train.weight.empty());
  CHECK_FALSE(ade.train.evaluate);
  CHECK(ade.test.scales == std::vector<double>{1.0});
  CHECK(ade.test.base_size == 512);
  CHECK(ade.names_path() == "data/ade20k/ade20k_names.txt");
  CHECK(ade.unused == std::vector<std::string>{"TRAIN.sync_bn", "TRAIN.train_gpu", "Distributed.dist_url",
                                               "Distributed.dist_backend", "Distributed.multiprocessing_distributed",
                                               "Distributed.world_size", "Distributed.rank", "TEST.test_gpu"});
  const Config voc = load_config(golden("semseg_voc2012.yaml"));
  CHECK(voc.data.classes == 21);
  CHECK(voc.train.epochs == 50);
  const Config city = load_config(golden("semseg_cityscapes.yaml"));
  CHECK(city.data.classes == 19);
  CHECK(city.train.train_w == 713);
  CHECK(city.test.base_size == 2048);
  CHECK(city.test.model_path == "exp/cityscapes/pspnet50/model/train_epoch_200.pth");
}

TEST_CASE("an empty file gives the defaults of the paper") {
  const Config config = parse_config("", "f.yaml");
  CHECK(config.data == DataConfig{});
  CHECK(config.train == TrainConfig{});
  CHECK(config.test == TestConfig{});
  CHECK(config.origins.empty());
  CHECK(parse_config("TRAIN:\n", "f.yaml").train == TrainConfig{});
}

TEST_CASE("lines may end as on old Macs, by a carriage return alone") {
  CHECK(parse_config("# a comment\rDATA:\r  classes: 7\r", "f.yaml").data.classes == 7);
}

TEST_CASE("keys of our own") {
  const Config config = parse_config(R"(
DATA:
  classes: 3
  label_map: {7: 0, 8: 1, 11: 2, 0: 255}
  names_path: names.txt
TRAIN:
  arch: baseline
  blocks: [1, 1, 2, 1]
  block: basic
  width: 0.25
  bins: [1, 2]
  pool: max
  ppm_reduce: no
  class_weights: [1, 0.5, 2]
  first_block_dilation: half
  output_stride: 16
TEST:
  names_path: other.txt
  mirror: off
  stride_rate: 0.5
  scales: [0.5, 1, 1.75]
)",
                                     "f.yaml");
  CHECK(config.data.label_map == std::map<int, int>{{0, 255}, {7, 0}, {8, 1}, {11, 2}});
  CHECK(config.names_path() == "names.txt");
  CHECK(config.train.arch == "baseline");
  CHECK(config.train.blocks == std::vector<int>{1, 1, 2, 1});
  CHECK(config.train.block == "basic");
  CHECK(config.train.width == 0.25);
  CHECK(std::get<std::vector<int>>(config.train.network.at("bins")) == std::vector<int>{1, 2});
  CHECK(std::get<std::string>(config.train.network.at("pool")) == "max");
  CHECK_FALSE(std::get<bool>(config.train.network.at("ppm_reduce")));
  CHECK(config.train.class_weights == ClassWeights{ClassWeights::Kind::list, {1, 0.5, 2}});
  CHECK(config.train.output_stride == 16);
  CHECK_FALSE(config.test.mirror);
  CHECK(config.test.scales == std::vector<double>{0.5, 1, 1.75});
  CHECK(config_place(config, "TRAIN.width") == "f.yaml:10");
  CHECK(config_place(config, "TRAIN.epochs") == "f.yaml");
  CHECK(parse_config("TRAIN:\n  class_weights: balanced\n", "f").train.class_weights.kind ==
        ClassWeights::Kind::balanced);
}

TEST_CASE("semseg's older files, with mixed precision, and its PSANet keys load") {
  const std::string apex =
      "Distributed:\n  dist_url: tcp://127.0.0.1:6789\n  use_apex: True\n  opt_level: 'O0'\n"
      "  keep_batchnorm_fp32:\n  loss_scale:\n";
  CHECK(parse_config(apex, "f").unused.size() == 5);
  const Config psa = parse_config(
      "TRAIN:\n  arch: psa\n  psa_type: 2 # bi-direction\n  compact: 0\n  shrink_factor: 2\n  mask_h: # or not\n"
      "  mask_w:\n  normalization_factor: 1.0\n  psa_softmax: 1\n",
      "f", {"arch", "psp"});
  CHECK(psa.unused.size() == 7);
}

TEST_CASE("a known data set fills in what is not said") {
  const Config ade = parse_config("DATA:\n  dataset: ade20k\n", "f.yaml");
  CHECK(ade.data.classes == 150);
  CHECK(ade.data.reduce_zero_label);
  CHECK_NOTHROW(require_keys(ade, {"DATA.classes"}));
  CHECK(config_place(ade, "DATA.classes") == "f.yaml:2");
  const Config city = parse_config("DATA:\n  dataset: cityscapes\n", "f.yaml");
  CHECK(city.data.classes == 19);
  CHECK(city.data.label_map.size() == 19);
  CHECK(city.data.label_map.at(33) == 18);
  const Config camvid = parse_config("DATA:\n  dataset: camvid\n", "f.yaml");
  CHECK(camvid.train.ignore_label == 11);
  // Keys that are given win.
  const Config own = parse_config(
      "", "f", {"dataset", "cityscapes", "classes", "2", "label_map", "{7: 0, 8: 1, 0: -1}", "ignore_label", "254"});
  CHECK(own.data.classes == 2);
  CHECK(own.data.label_map == std::map<int, int>{{0, -1}, {7, 0}, {8, 1}});
  CHECK(own.train.ignore_label == 254);
  CHECK(parse_config("", "f", {"dataset", "cityscapes", "label_map", "{}"}).data.label_map.empty());
  // The resolved configuration says the same again.
  for (const Config& config : {ade, city, camvid, own}) {
    const Config again = parse_config(to_yaml(config), "again");
    CHECK(again.data == config.data);
    CHECK(again.train == config.train);
  }
}

TEST_CASE("our own configurations of the paper's data sets load with the paper's schedule") {
  struct Case {
    const char* file;
    int layers, classes, crop, base_size, epochs, pictures, iterations;
    double rotate, blur;
  };
  const Case cases[] = {
      {"ade20k/pspnet50.yaml", 50, 150, 473, 512, 119, 20210, 150'000, 0.5, 0.5},
      {"ade20k/pspnet101.yaml", 101, 150, 473, 512, 119, 20210, 150'000, 0.5, 0.5},
      {"ade20k/pspnet269.yaml", 269, 150, 473, 512, 119, 20210, 150'000, 0.5, 0.5},
      {"voc2012/pspnet50.yaml", 50, 21, 473, 512, 46, 10582, 30'000, 0.5, 0.5},
      {"voc2012/pspnet101.yaml", 101, 21, 473, 512, 46, 10582, 30'000, 0.5, 0.5},
      {"cityscapes/pspnet50.yaml", 50, 19, 713, 2048, 487, 2975, 90'000, 0, 0},
      {"cityscapes/pspnet101.yaml", 101, 19, 713, 2048, 487, 2975, 90'000, 0, 0},
  };
  for (const Case& expected : cases) {
    CAPTURE(expected.file);
    const Config config = load_config(std::string(GIZA_SOURCE_DIR) + "/configs/" + expected.file);
    CHECK(config.unused.empty());
    CHECK(config.train.arch == "psp");
    CHECK(config.train.layers == expected.layers);
    CHECK(config.data.classes == expected.classes);
    CHECK(config.data.dataset != "list");
    CHECK(config.train.train_h == expected.crop);
    CHECK(config.train.train_w == expected.crop);
    CHECK(config.test.test_h == expected.crop);
    CHECK(config.test.base_size == expected.base_size);
    CHECK(config.train.batch_size == 16);
    CHECK(config.train.base_lr == 0.01);
    CHECK(config.train.power == 0.9);
    CHECK(config.train.momentum == 0.9);
    CHECK(config.train.weight_decay == 1e-4);
    CHECK(config.train.aux_weight == 0.4);
    CHECK(config.train.rotate_prob == expected.rotate);
    CHECK(config.train.blur_prob == expected.blur);
    CHECK(config.train.epochs == expected.epochs);
    const int steps = expected.pictures / 16 * expected.epochs;
    CHECK(steps >= expected.iterations);
    CHECK(steps < expected.iterations + expected.pictures / 16);
  }
}

TEST_CASE("bounds may be equal: nothing varies then") {
  const Config config = parse_config("TRAIN:\n  scale_min: 1\n  scale_max: 1\n  rotate_min: 0\n  rotate_max: 0\n", "f");
  CHECK(config.train.scale_min == config.train.scale_max);
  CHECK(config.train.rotate_min == config.train.rotate_max);
}

TEST_CASE("overrides replace values of the file") {
  const std::string text = "TRAIN:\n  epochs: 5\n  arch: psa\n  psa_type: 2\nTEST:\n  scales: [1.0]\n";
  const Config config =
      parse_config(text, "f.yaml",
                   {"TRAIN.epochs", "3", "arch", "psp", "scales", "[0.5, 1.0]", "rotate_min", "-5", "save_path",
                    "a: b #c", "manual_seed", "None", "resume", "auto", "evaluate", "True"});
  CHECK(config.train.epochs == 3);
  CHECK(config.train.arch == "psp");  // the file's psa would have been refused
  CHECK(config.test.scales == std::vector<double>{0.5, 1.0});
  CHECK(config.train.rotate_min == -5);
  CHECK(config.train.save_path == "a: b #c");
  CHECK(config.train.resume == "auto");
  CHECK(config.train.evaluate);
  CHECK(config_place(config, "TRAIN.epochs") == "command line");

  // semseg knows names_path only under TEST; where the file gives it elsewhere, that is meant.
  CHECK(parse_config("", "f", {"names_path", "x"}).test.names_path == "x");
  CHECK(parse_config("DATA:\n  names_path: a\n", "f", {"names_path", "x"}).data.names_path == "x");
  CHECK(refusal("DATA:\n  names_path: a\nTEST:\n  names_path: b\n", {"names_path", "x"}) ==
        "command line: names_path is ambiguous, write DATA.names_path or TEST.names_path");
  CHECK(parse_config("", "f", {"scales", "(0.5, 1.0)"}).test.scales == std::vector<double>{0.5, 1.0});
  CHECK(parse_config("", "f", {"scales", "[0.5,1.0]", "epochs", "2"}).overrides ==
        std::vector<std::pair<std::string, std::string>>{{"TEST.scales", "[0.5,1.0]"}, {"TRAIN.epochs", "2"}});
  CHECK(refusal("", {"epoch", "3"}) == "command line: unknown key \"epoch\", the nearest is TRAIN.epochs");
  CHECK(refusal("", {"TEST.epochs", "3"}).find("nearest is TRAIN.epochs") != std::string::npos);
  CHECK(refusal("", {"epochs"}) == "command line: epochs has no value, expected KEY VALUE pairs");
  CHECK(refusal("", {"epochs", "1", "TRAIN.epochs", "2"}).find("given twice") != std::string::npos);
  CHECK(refusal("", {"epochs", "many"}) ==
        "command line: TRAIN.epochs is \"many\", expected an integer from 1 to 1000000");
  CHECK(refusal("", {"epochs", "3 }"}).find("command line") == 0);
  for (const char* nothing : {"", "None", "null", "~"}) {
    CHECK(refusal("", {"epochs", nothing}).find("TRAIN.epochs is empty") != std::string::npos);
    CHECK(parse_config("TRAIN:\n  weight: x\n", "f", {"weight", nothing}).train.weight.empty());
    CHECK(parse_config(fmt::format("TRAIN:\n  weight: {}\n", nothing), "f").train.weight.empty());
  }
  CHECK(parse_config("TRAIN:\n  weight: 'None'\n", "f").train.weight == "None");
  CHECK(parse_config("", "f", {"TRAIN.base_lr=0.1", "save_path=a=b", "weight", "x=y"}).overrides ==
        std::vector<std::pair<std::string, std::string>>{
            {"TRAIN.base_lr", "0.1"}, {"TRAIN.save_path", "a=b"}, {"TRAIN.weight", "x=y"}});
  CHECK(refusal("", {"lr=0.1"}) == "command line: unknown key \"lr\", the nearest is TRAIN.base_lr");
  CHECK(refusal("TRAIN:\n  num_classes: 3\n").find("nearest is DATA.classes") != std::string::npos);
}

TEST_CASE("to_yaml reads back to the same configuration") {
  const Config config = parse_config(R"(
DATA:
  data_root: "it's: #odd"
  classes: 3
  label_map: {7: 0, 8: 1}
TRAIN:
  base_lr: 0.1
  class_weights: [0.1, 0.30000000000000004, 1e-3]
  blocks: [1, 2, 3, 4]
TEST:
  stride_rate: 0.6666666666666666
)",
                                     "f.yaml");
  const Config again = parse_config(to_yaml(config), "g.yaml");
  CHECK(again.data == config.data);
  CHECK(again.train == config.train);
  CHECK(again.test == config.test);
  CHECK(to_yaml(again) == to_yaml(config));
  const Config defaults = parse_config(to_yaml(Config{}), "g.yaml");
  CHECK(defaults.train == TrainConfig{});
  CHECK(defaults.test == TestConfig{});
}

TEST_CASE("the hash follows what decides the weights, and nothing else") {
  const std::string base = training_hash(parse_config("", "f"));
  CHECK(base.size() == 16);
  CHECK(training_hash(parse_config("", "f", {"threads", "2", "save_path", "x", "print_freq", "3"})) == base);
  CHECK(training_hash(parse_config("", "f", {"base_size", "100"})) == base);
  std::set<std::string> hashes = {base};
  for (const std::vector<std::string>& change : std::vector<std::vector<std::string>>{
           {"epochs", "3"}, {"base_lr", "0.02"}, {"bins", "[1]"}, {"manual_seed", "1"}}) {
    CHECK(hashes.insert(training_hash(parse_config("", "f", change))).second);
  }
}

TEST_CASE("given keys of networks that TRAIN.arch has not are told, but for defaults") {
  const Config config =
      parse_config("TRAIN:\n  arch: psp\n  backbone: vgg16\n  upsample: fixed\n  fov_rate: 3\n  bins: [2]\n", "f.yaml");
  CHECK(config.of_other_networks() == std::vector<std::string>{"TRAIN.backbone", "TRAIN.fov_rate"});
  CHECK(parse_config("TRAIN:\n  arch: fcn8s\n  backbone: vgg16\n", "f.yaml").of_other_networks().empty());
}

TEST_CASE("settings that changed: a newer key at its default is told by that") {
  Config before, now;
  now.train.weight = "";
  now.data.weak_rounds = 3;
  const auto changed = changed_settings(training_settings(before), training_settings(now));
  CHECK(changed == std::vector<std::string>{"DATA.weak_rounds: 2, now 3"});
}

TEST_CASE("text that a program made: messages say where its keys were given, and no line of it") {
  const std::string text = "DATA:\n  classes: 3\nTRAIN:\n  epochs: 3\n  start_epoch: 4\n";
  const auto message = [&](const std::map<std::string, std::string>& places) {
    return message_of<Refusal>([&] { parse_made_config(text, "f.yaml", {}, places); });
  };
  CHECK(contains(message({{"TRAIN.start_epoch", "own.yaml:7"}}), "own.yaml:7: TRAIN.start_epoch 4 is beyond"));
  CHECK(contains(message({}), "f.yaml: TRAIN.start_epoch 4 is beyond"));
}

TEST_CASE("required keys") {
  const Config config = parse_config("DATA:\n  train_list:\n  classes: 3\n", "f.yaml");
  CHECK_NOTHROW(require_keys(config, {"DATA.classes"}));
  CHECK_THROWS_WITH_AS(
      require_keys(config, {"DATA.train_list"}),
      "f.yaml:2: DATA.train_list has no value, expected a text: text file, `image label` per line; empty "
      "with `dataset`: its training part",
      giza::Refusal);
  CHECK_THROWS_AS(require_keys(config, {"TRAIN.save_path"}), giza::Refusal);
  CHECK_THROWS_AS(require_keys(parse_config("", "f"), {"DATA.classes"}), giza::Refusal);
}

}  // namespace giza::train
