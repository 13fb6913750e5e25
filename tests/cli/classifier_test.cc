// Classifiers from end to end: pictures by giza scenes --classify, then check, train, eval, predict, and a parser from
// them.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "models/onnx/export.h"
#include "tests/cli/program.h"

using giza::TempFolder;
using giza::testing::one_line_refusal;
using giza::testing::Outcome;
using giza::testing::read_file;
using giza::testing::run_giza;
using giza::testing::write_file;
namespace fs = std::filesystem;

namespace {

constexpr const char* kConfig = R"(DATA: {dataset: folders, data_root: things, classes: 6}
TRAIN:
  arch: classifier
  layers: 18
  blocks: [1, 1, 1, 1]
  width: 0.125
  train_h: 24
  train_w: 24
  pad: 2
  batch_size: 6
  epochs: 2
  lr_policy: step
  lr_steps: [3]
  print_freq: 1
  evaluate: true
  save_path: run
TEST: {base_size: 0, whole_image: true, model_path: run/last.safetensors, save_folder: run/val}
)";

TEST_CASE("a folder per class is checked, trained on, judged and predicted; its network starts a parser") {
  const TempFolder temp;
  const fs::path folder = temp.path();
  const Outcome scenes =
      run_giza("scenes --classify --out things --train 12 --val 6 --size 48x96 --json --quiet", folder);
  REQUIRE(scenes.status == 0);
  CHECK(nlohmann::json::parse(scenes.out)["classes"] == 6);
  CHECK(nlohmann::json::parse(scenes.out)["height"] == 24);
  write_file(folder / "c.yaml", kConfig);
  const Outcome check = run_giza("check --config c.yaml --quiet", folder);
  CHECK(check.status == 0);
  CHECK(check.out.find("facade") != std::string::npos);

  const Outcome train = run_giza("train --config c.yaml --json --quiet --threads 1", folder);
  REQUIRE(train.status == 0);
  CHECK(nlohmann::json::parse(train.out)["iterations"] == 4);
  CHECK(nlohmann::json::parse(train.out)["validation"]["allAcc"] >= 0);
  const Outcome eval = run_giza("eval --config c.yaml --json --quiet", folder);
  REQUIRE(eval.status == 0);
  const auto metrics = nlohmann::json::parse(eval.out);
  CHECK(metrics["images"] == 6);
  CHECK(metrics["classes"][1]["name"] == "hull");
  CHECK(metrics["classes"][1]["pictures"] == 1);

  // A class, its probability and the likeliest, for people and for programs.
  const Outcome predict = run_giza("predict --weights run/last.safetensors --out seen --quiet things/val", folder);
  REQUIRE(predict.status == 0);
  CHECK(predict.out.find(" %  ") != std::string::npos);
  std::istringstream lines(read_file(folder / "seen/predictions.jsonl"));
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const auto guess = nlohmann::json::parse(line);
    CHECK(guess["likeliest"].size() == 5);
    CHECK(guess["name"] == guess["likeliest"][0]["name"]);
    CHECK(guess["probability"] >= 1.0 / 6);
  }
  CHECK(count == 6);
  if (giza::models::onnx_available()) {
    CHECK(run_giza("convert run/last.safetensors net.onnx --size 24x24 --quiet", folder).status == 0);
  }
  // Pictures without classes.
  fs::create_directories(folder / "things/test");
  fs::copy_file(folder / "things/val/hull/scene_00001.png", folder / "things/test/a.png");
  REQUIRE(run_giza("eval --config c.yaml --quiet TEST.split test TEST.save_folder unseen", folder).status == 0);
  CHECK(nlohmann::json::parse(read_file(folder / "unseen/predictions.jsonl"))["image"] == "things/test/a.png");

  REQUIRE(run_giza("scenes --out scenes --train 4 --val 1 --size 48x96 --quiet", folder).status == 0);
  const std::string parser =
      "--config c.yaml DATA.dataset list DATA.data_root scenes DATA.train_list scenes/train.txt DATA.classes 12 "
      "TRAIN.arch psp TRAIN.evaluate false TRAIN.batch_size 2 TRAIN.epochs 1 TRAIN.lr_policy poly TRAIN.lr_steps '[]' "
      "TRAIN.save_path parser TRAIN.weight run/last.safetensors";
  const Outcome started = run_giza("train " + parser, folder);
  CHECK(started.status == 0);
  CHECK(started.err.find("begin as in a new network") != std::string::npos);
}

TEST_CASE("what classifiers cannot do is refused in one line") {
  const TempFolder temp;
  const fs::path folder = temp.path();
  REQUIRE(run_giza("scenes --classify --out things --train 6 --val 6 --size 48x96 --quiet", folder).status == 0);
  write_file(folder / "c.yaml", kConfig);
  struct Fault {
    const char *arguments, *message;
  };
  for (const Fault& fault : {Fault{"train --config c.yaml DATA.classes 7", "set DATA.classes 6"},
                             {"train --config c.yaml TRAIN.arch spp", "6x6 windows on a map"},
                             {"train --config c.yaml TRAIN.arch psp", "set TRAIN.arch classifier or spp"},
                             {"eval --config c.yaml TEST.save_masks true", "TEST.save_masks"},
                             {"check --config c.yaml DATA.data_root nowhere", "nowhere: has no folder train"},
                             {"scenes --classify --out things --size 9x9 --train 1", "size 9x9"}}) {
    CAPTURE(fault.arguments);
    const Outcome outcome = run_giza(std::string(fault.arguments) + " --quiet", folder);
    CHECK(outcome.status == 2);
    CHECK(one_line_refusal(outcome.err));
    CHECK(outcome.err.find(fault.message) != std::string::npos);
  }
}

}  // namespace
