// Configurations with faults, hostile ones and cut off ones: refused in one line, with file, line and remedy.
#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include "tests/train/config/refused_config.h"

namespace giza::train {

TEST_CASE("faults are refused with file, line and remedy") {
  struct Fault {
    const char* text;
    const char* message;
  };
  const Fault faults[] = {
      {"TRAIN:\n  epoch: 3\n", "f.yaml:2: unknown key \"epoch\" in section TRAIN, the nearest is TRAIN.epochs"},
      {"TRAIN:\n  data_root: x\n",
       "f.yaml:2: unknown key \"data_root\" in section TRAIN, the nearest is DATA.data_root"},
      {"TRIAN:\n  epochs: 3\n",
       "f.yaml:1: unknown section \"TRIAN\", the nearest is TRAIN (sections are DATA, TRAIN, "
       "Distributed, TEST)"},
      {"TRAIN:\n  epochs: 3\n  layers: 50\n  epochs: 4\n",
       "f.yaml:4: duplicate key \"epochs\", first given on line 2, remove one"},
      {"TRAIN:\n  epochs: 3\nTRAIN:\n  layers: 50\n",
       "f.yaml:3: duplicate key \"TRAIN\", first given on line 1, remove one"},
      {"TRAIN:\n  epochs: 3.5\n", "f.yaml:2: TRAIN.epochs is \"3.5\", expected an integer from 1 to 1000000"},
      {"TRAIN:\n  epochs: '3'\n",
       "f.yaml:2: TRAIN.epochs is the quoted text \"3\", expected an integer from 1 to 1000000"},
      {"TRAIN:\n  epochs: 0\n", "f.yaml:2: TRAIN.epochs is \"0\", expected an integer from 1 to 1000000"},
      {"TRAIN:\n  epochs: 99999999999\n", "f.yaml:2: TRAIN.epochs is \"99999999999\", expected an integer"},
      {"TRAIN:\n  epochs:\n", "f.yaml:2: TRAIN.epochs is empty, expected an integer"},
      {"TRAIN:\n  epochs: [3]\n", "f.yaml:2: TRAIN.epochs is a list, expected"},
      {"TRAIN:\n  base_lr: .nan\n", "f.yaml:2: TRAIN.base_lr is \".nan\", expected a number from 0 to 1000"},
      {"TRAIN:\n  base_lr: inf\n", "f.yaml:2: TRAIN.base_lr is \"inf\""},
      {"TRAIN:\n  width: 0\n", "f.yaml:2: TRAIN.width is \"0\", expected a number above 0 and up to 8"},
      {"TRAIN:\n  evaluate: 1\n", "f.yaml:2: TRAIN.evaluate is \"1\", expected true or false"},
      {"TRAIN:\n  layers: 51\n", "f.yaml:2: TRAIN.layers is \"51\", expected one of 18, 34, 50, 101, 152, 269"},
      {"TRAIN:\n  arch: psa\n", "f.yaml:2: TRAIN.arch is \"psa\" (PSANet, which giza does not have), expected one of "},
      {"TRAIN:\n  blocks: [1, 2]\n",
       "f.yaml:2: TRAIN.blocks is a list of 2, expected a list of 4 integers from 1 to 64"},
      {"TRAIN:\n  bins: []\n", "f.yaml:2: TRAIN.bins is an empty list"},
      {"TRAIN:\n  bins: 3\n", "f.yaml:2: TRAIN.bins is not a list"},
      {"TRAIN:\n  train_gpu: some\n", "f.yaml:2: TRAIN.train_gpu is not a list"},
      {"TRAIN:\n  scale_min: 3\n", "f.yaml:2: TRAIN.scale_min 3 is above scale_max 2"},
      {"DATA:\n  classes: 2\n  label_map: {1: 5}\n", "f.yaml:3: DATA.label_map maps 1 to 5"},
      {"DATA:\n  label_map: {-1: 5}\n", "f.yaml:2: DATA.label_map is a map with the raw value -1"},
      {"DATA:\n  dataset: coco\n",
       "f.yaml:2: DATA.dataset is \"coco\", expected one of list, folders, ade20k, voc2012,"},
      {"DATA:\n  label_map: {1: 5, +1: 6}\n", "f.yaml:2: DATA.label_map is a map with +1 twice"},
      {"DATA:\n  classes: 020\n", "f.yaml:2: DATA.classes is \"020\", expected an integer from 2 to 256"},
      {"TRAIN:\n  save_path: \"ru\n  base_lr: 0.5\nTEST:\n  scales: [3]\n",
       "f.yaml:2: the quote that opens here is never closed"},
      {"TRAIN:\n  weight: '''\n", "f.yaml:2: the quote that opens here is never closed"},
      {"TRAIN:\n  weight: \"a\\\"\n", "f.yaml:2: the quote that opens here is never closed"},
      {"TRAIN:\n  x: 1\n", "unknown key \"x\" in section TRAIN; `giza train --help-keys` lists all"},
      {"TRAIN:\n  max_iters: 1\n", "unknown key \"max_iters\" in section TRAIN, the nearest is TRAIN.epochs"},
      {"DATA:\n  label_map: {1: 5, 1: 6}\n", "f.yaml:2: duplicate key \"1\""},
      {"TRAIN:\n  epochs: 3\n  start_epoch: 4\n", "f.yaml:3: TRAIN.start_epoch 4 is beyond epochs 3"},
      {"DATA:\n  classes: 5\n  label_map: {1: 5}\n", "f.yaml:3: DATA.label_map maps 1 to 5"},
      {"DATA:\n  classes: 2\nTRAIN:\n  class_weights: [1]\n", "f.yaml:4: TRAIN.class_weights has 1 numbers"},
      {"DATA:\n  classes: 2\nTRAIN:\n  class_weights: [1, 1, 1]\n", "f.yaml:4: TRAIN.class_weights has 3 numbers"},
      {"DATA: 3\n", "f.yaml:1: section DATA holds no keys"},
      {"- DATA\n", "f.yaml:1: not a configuration, expected the sections DATA, TRAIN"},
      {"DATA:\n  classes: [1, 2\n", "not valid YAML: a [ without its ]"},
      {"DATA: {classes: 12\n", "not valid YAML: a { without its }"},
      {"DATA:\n\tclasses: 3\n", "not valid YAML: a line is indented by a tab"},
      {"DATA:\n  names_path: a: b\n", "not valid YAML: \": \" where no key can stand"},
      {"DATA:\n  train_list: \"C:\\data\\l.txt\"\n", "put the text in single quotes"},
      {"epochs: 3\n", "1: epochs stands outside of a section, expected it below \"TRAIN:\""},
      {"DATA:\n  classes: 3\n---\nTRAIN:\n", "f.yaml:3: a second YAML document begins here"},
      {"[DATA]\nclasses = 3\n", "f.yaml:2: text behind the end of the file's one list or value, expected sections"},
      {"\xFF\xFE"
       "D",
       "f.yaml: is text in UTF-16"},
      {"TRAIN:\n  manual_seed: 9223372036854775808\n", "expected an integer from 0 to 9223372036854775807"},
      {"DATA: &a\n  classes: 3\nTRAIN: *a\n", "f.yaml:3: YAML aliases"},
      {"DATA:\n  classes: !!int 3\n", "f.yaml:2: YAML tags"},
      {"DATA:\n  [1, 2]: 3\n", "f.yaml:2: a key must be a word"},
      {"DATA:\n  data_root: \"a\\nb\"\n", "f.yaml:2: DATA.data_root is a text with control characters"},
  };
  for (const Fault& fault : faults) {
    CAPTURE(fault.text);
    const std::string message = refusal(fault.text);
    CAPTURE(message);
    CHECK(message.find(fault.message) != std::string::npos);
    CHECK(message.find("f.yaml") == 0);
    CHECK(message.find('\n') == std::string::npos);
  }
}

TEST_CASE("what is no YAML is refused with its key, and with a word on comments") {
  CHECK(refusal("", {"TEST.scales", "[0.5, "}).find("command line: TEST.scales:1: not valid YAML") == 0);
  CHECK(refusal("TEST:\n  // of the paper\n  scales: [0.5]\n").find("a comment begins with #, not with //") !=
        std::string::npos);
  const std::string plain = refusal("TEST:\n  scales: [0.5\n");
  CHECK(!plain.empty());
  CHECK(plain.find("//") == std::string::npos);
}

TEST_CASE("hostile files are refused in bounded time") {
  const auto start = std::chrono::steady_clock::now();
  std::string bomb = "DATA:\n  a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 30; ++i) {
    bomb += "  a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 9; ++j) bomb += (j ? ", *a" : "*a") + std::to_string(i - 1);
    bomb += "]\n";
  }
  CHECK(refusal(bomb).find("aliases") != std::string::npos);
  CHECK(refusal(std::string(200'000, '[')).find("nested deeper than 8 levels") != std::string::npos);
  CHECK(refusal(std::string(200'000, '{')) != "");
  CHECK(refusal(std::string(300'000, 'a')).find("larger than 256 KB") != std::string::npos);
  std::string many = "DATA:\n";
  for (int i = 0; i < 20'000; ++i) many += "  k" + std::to_string(i) + ": 1\n";
  CHECK(refusal(many).find("more than 1024 keys") != std::string::npos);
  std::string blocks;
  for (int i = 0; i < 500; ++i) blocks += std::string(static_cast<size_t>(i), ' ') + "a:\n";
  CHECK(refusal(blocks).find("nested deeper") != std::string::npos);
  CHECK(refusal(std::string("DATA:\n\0  classes: 3\n", 20)).find("zero byte at offset 6") != std::string::npos);
  CHECK(refusal("DATA:\n  " + std::string(5000, 'k') + ": 3\n").size() < 300);
  CHECK_THROWS_AS(load_config("/dev/zero"), giza::Refusal);
  CHECK_THROWS_AS(load_config("/"), giza::Refusal);
  CHECK_THROWS_AS(load_config(golden("no such file.yaml")), giza::Refusal);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
}

TEST_CASE("every truncation of a file loads or is refused, never worse") {
  const std::string text = to_yaml(load_config(golden("semseg_ade20k.yaml")));
  int loaded = 0;
  for (size_t length = 0; length < text.size(); length += 7) loaded += refusal(text.substr(0, length)).empty() ? 1 : 0;
  CHECK(loaded > 0);
}

}  // namespace giza::train
