// Files that people have: what a command reads, or what it did not write, is not written over.
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/weights/npy.h"
#include "tests/cli/program.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"

namespace giza::testing {

namespace fs = std::filesystem;

namespace {

const std::string kTrain = "train --config tiny.yaml --quiet TRAIN.epochs 1 ";

}  // namespace

TEST_CASE("eval and check write no mask over a picture or label that they read") {
  const TempFolder folder;
  make_tiny_run(folder.path());
  REQUIRE(run_giza(kTrain, folder.path()).status == 0);
  for (const char* part : {"gray", "color"}) fs::create_directories(folder.file(std::string("own/") + part));
  std::string list;
  for (const std::string name : {"scene_00000.png", "scene_00001.png"}) {
    fs::copy_file(folder.file("scenes/valannot/" + name), folder.file("own/gray/" + name));
    fs::copy_file(folder.file("scenes/val/" + name), folder.file("own/color/" + name));
    list += "color/" + name + " gray/" + name + "\n";
  }
  write_file(folder.file("own/l.txt"), list);
  const std::string label = read_file(folder.file("own/gray/scene_00000.png"));
  const std::string eval = "eval --config tiny.yaml --quiet DATA.data_root own TEST.test_list own/l.txt ";
  for (const char* save : {"TEST.save_folder own", "TEST.save_folder own/../own TEST.split test"}) {
    CAPTURE(save);
    const Outcome outcome = run_giza(eval + save, folder.path());
    CAPTURE(outcome.err);
    CHECK(outcome.status == 2);
    CHECK(one_line_refusal(outcome.err));
    CHECK(contains(outcome.err, "is read by this command"));
    CHECK(read_file(folder.file("own/gray/scene_00000.png")) == label);
    CHECK_FALSE(fs::exists(folder.file("own/metrics.json")));
  }
  fs::rename(folder.file("own/l.txt"), folder.file("own/metrics.json"));
  CHECK(run_giza("eval --config tiny.yaml --quiet DATA.data_root own TEST.test_list own/metrics.json TEST.save_masks "
                 "false TEST.save_folder own",
                 folder.path())
            .status == 2);
  CHECK(read_file(folder.file("own/metrics.json")) == list);
  const Outcome labels = run_giza(
      "check --config tiny.yaml --quiet DATA.data_root own DATA.train_list own/metrics.json DATA.val_list '' "
      "TEST.test_list '' TRAIN.batch_size 2 "
      "DATA.weak_labels box DATA.thing_classes '[8,9]' --labels own",
      folder.path());
  CAPTURE(labels.out);
  CHECK(labels.status == 2);
  CHECK(contains(labels.err, "is read by this command"));
  CHECK(read_file(folder.file("own/gray/scene_00000.png")) == label);
}

TEST_CASE("train writes over no file that another program wrote, nor over what it reads") {
  const TempFolder folder;
  make_tiny_run(folder.path());
  fs::create_directory(folder.file("mine"));
  const auto refused = [&](const std::string& command, const std::string& why) {
    const Outcome outcome = run_giza(command, folder.path());
    CAPTURE(outcome.err);
    CHECK(outcome.status == 2);
    CHECK(one_line_refusal(outcome.err));
    CHECK(contains(outcome.err, why));
  };
  const std::string yaml = "# my own notes\n" + read_file(folder.file("tiny.yaml"));
  write_file(folder.file("mine/config.yaml"), yaml);
  refused("train --quiet --config mine/config.yaml TRAIN.epochs 1 TRAIN.save_path mine",
          "mine/config.yaml: has comments, so that no run wrote it");
  CHECK(read_file(folder.file("mine/config.yaml")) == yaml);
  fs::remove(folder.file("mine/config.yaml"));
  for (const char* name : {"report.html", "log.jsonl"}) {
    write_file(folder.file(std::string("mine/") + name), "somebody's");
    refused(kTrain + "TRAIN.save_path mine", std::string("mine/") + name + ": is another ");
    CHECK(read_file(folder.file(std::string("mine/") + name)) == "somebody's");
    fs::remove(folder.file(std::string("mine/") + name));
  }
  const std::string list = read_file(folder.file("scenes/train.txt"));
  write_file(folder.file("mine/log.jsonl"), list);
  refused(kTrain + "TRAIN.save_path mine DATA.train_list mine/log.jsonl", "mine/log.jsonl: is read by this command");
  CHECK(read_file(folder.file("mine/log.jsonl")) == list);
  fs::remove(folder.file("mine/log.jsonl"));
  // A run's own files: begun again after a kill before the first checkpoint, and gone on with by its own configuration.
  REQUIRE(run_giza(kTrain + "TRAIN.save_path mine", folder.path()).status == 0);
  const Outcome on =
      run_giza("train --quiet --config mine/config.yaml TRAIN.epochs 2 TRAIN.resume auto", folder.path());
  CAPTURE(on.err);
  CHECK(on.status == 0);
  for (const auto& entry : fs::directory_iterator(folder.file("mine"))) {
    if (entry.path().extension() == ".safetensors") fs::remove(entry.path());
  }
  CHECK(run_giza("train --quiet --config mine/config.yaml", folder.path()).status == 0);
}

TEST_CASE("check says what training would refuse, though the data fits") {
  const TempFolder folder;
  make_tiny_run(folder.path());
  const auto check = [&](const std::string& settings) {
    return run_giza("check --config tiny.yaml --quiet " + settings, folder.path());
  };
  CHECK(check("").status == 0);
  for (const auto& [settings, why] : {std::pair{"TRAIN.batch_size 1", "a single value per channel"},
                                      std::pair{"TRAIN.resume nix", "nix: there is no such"},
                                      std::pair{"TRAIN.weight tiny.yaml", "tiny.yaml: this is a text file"}}) {
    CAPTURE(settings);
    const Outcome outcome = check(settings);
    CAPTURE(outcome.out);
    CHECK(outcome.status == 1);
    CHECK(contains(outcome.out, "giza train would refuse: "));
    CHECK(contains(outcome.out, why));
    CHECK(contains(outcome.out, "the data fits, but training cannot start"));
    CHECK(run_giza(kTrain + settings, folder.path()).status == 2);
  }
  REQUIRE(run_giza(kTrain, folder.path()).status == 0);
  CHECK(check("").status == 0);  // what the folder holds is no matter of the data
  CHECK(contains(check("TRAIN.resume auto TRAIN.base_lr 0.5").out, "was trained with other settings"));
  CHECK(check("TRAIN.resume auto").status == 0);
}

TEST_CASE("train reports one loss, now and when nothing is left to do") {
  const TempFolder folder;
  make_tiny_run(folder.path());
  const std::string train = "train --config tiny.yaml --quiet --json TRAIN.print_freq 3 TRAIN.resume auto";
  const auto first = nlohmann::json::parse(run_giza(train, folder.path()).out);
  const auto second = nlohmann::json::parse(run_giza(train, folder.path()).out);
  CHECK(first["loss"] == second["loss"]);
  CHECK(first["iterations"] == second["iterations"]);
}

TEST_CASE("a file on standard output stands there alone") {
  const TempFolder folder;
  make_tiny_run(folder.path());
  REQUIRE(run_giza(kTrain, folder.path()).status == 0);
  models::write_npy(folder.file("x.npy"), {{1, 3, 41, 57}, std::vector<float>(3 * 41 * 57, 0.5F)});
  const std::string run = "run --weights run/last.safetensors --input x.npy --output ";
  REQUIRE(run_giza(run + "y.npy", folder.path()).status == 0);
  const Outcome piped = run_giza(run + "/dev/stdout >z.npy", folder.path());
  CHECK(piped.status == 0);
  CHECK(contains(piped.err, "giza: /dev/stdout: logits (1, 12, 41, 57)"));
  CHECK(read_file(folder.file("z.npy")) == read_file(folder.file("y.npy")));
  CHECK(run_giza(run + "/dev/stdout --quiet >z.npy", folder.path()).err.empty());
  const Outcome both = run_giza(run + "/dev/stdout --json", folder.path());
  CHECK(both.status == 2);
  CHECK(one_line_refusal(both.err));
  CHECK(contains(both.err, "--output /dev/stdout: standard output is where --json writes to"));
}

TEST_CASE("settings that the weights have otherwise are told") {
  const TempFolder folder;
  make_tiny_run(folder.path());
  REQUIRE(run_giza(kTrain, folder.path()).status == 0);
  const std::string eval = "eval --config tiny.yaml ";
  CHECK_FALSE(contains(run_giza(eval, folder.path()).err, "the file's own network"));
  const Outcome tested = run_giza(eval + "TRAIN.bins '[1, 2]' TRAIN.ceil_pool true", folder.path());
  CHECK(tested.status == 0);
  CHECK(
      contains(tested.err, "last.safetensors: the file's own network is tested, with bins [1,2,3,6], ceil_pool false"));
  const std::string train = "train --config tiny.yaml TRAIN.epochs 1 TRAIN.weight run/last.safetensors ";
  CHECK_FALSE(contains(run_giza(train + "TRAIN.save_path a", folder.path()).err, "is of a network with"));
  const Outcome trained = run_giza(train + "TRAIN.save_path b TRAIN.pool max", folder.path());
  CHECK(trained.status == 0);
  CHECK(contains(trained.err, "last.safetensors is of a network with pool \"average\", which this configuration has"));
}

TEST_CASE("compare writes no sheet over a picture that it reads") {
  const TempFolder folder;
  make_tiny_run(folder.path());
  REQUIRE(run_giza(kTrain, folder.path()).status == 0);
  fs::create_directory(folder.file("own"));
  fs::copy_file(folder.file("scenes/val/scene_00000.png"), folder.file("own/sheet_01.png"));
  write_file(folder.file("l.txt"), "own/sheet_01.png scenes/valannot/scene_00000.png\n");
  const std::string keys = " --config tiny.yaml --quiet ", picture = read_file(folder.file("own/sheet_01.png"));
  REQUIRE(run_giza("eval" + keys + "DATA.data_root '' TEST.test_list l.txt TEST.save_masks true TEST.save_folder seen",
                   folder.path())
              .status == 0);
  write_file(folder.file("listed.yaml"), "DATA:\n  classes: 12\nTEST:\n  test_list: l.txt\n");
  const Outcome outcome = run_giza("compare --config listed.yaml --quiet --out own a=seen", folder.path());
  CAPTURE(outcome.err);
  CHECK(outcome.status == 2);
  CHECK(contains(outcome.err, "sheet_01.png"));
  CHECK(read_file(folder.file("own/sheet_01.png")) == picture);
}

TEST_CASE("eval of pictures without labels says what it did, as JSON too") {
  const TempFolder folder;
  make_tiny_run(folder.path());
  REQUIRE(run_giza(kTrain, folder.path()).status == 0);
  const std::string eval = "eval --config tiny.yaml --quiet TEST.split test TEST.save_folder seen ";
  const Outcome outcome = run_giza(eval + "--json", folder.path());
  CAPTURE(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK(nlohmann::json::parse(outcome.out)["images"] > 0);
  CHECK(nlohmann::json::parse(outcome.out)["folder"] == "seen");
  for (const char* refused : {"--report page.html", "TEST.index_start 1000"}) {
    CAPTURE(refused);
    fs::remove_all(folder.file("seen"));
    CHECK(run_giza(eval + refused, folder.path()).status == 2);
    CHECK_FALSE(fs::exists(folder.file("seen")));
  }
}

TEST_CASE("predict names flags that change nothing") {
  const TempFolder folder;
  make_tiny_run(folder.path());
  REQUIRE(run_giza(kTrain, folder.path()).status == 0);
  const std::string predict = "predict --weights run/last.safetensors --out seen scenes/val/scene_00000.png ";
  CHECK(contains(run_giza(predict + "--tile 40", folder.path()).err,
                 "--tile 40 changes nothing: run/last.safetensors has a test protocol"));
  CHECK(!contains(run_giza(predict, folder.path()).err, "changes nothing"));
}

TEST_CASE("predict names the files of a folder that it passes over") {
  const TempFolder folder;
  make_tiny_run(folder.path());
  REQUIRE(run_giza(kTrain, folder.path()).status == 0);
  fs::create_directory(folder.file("photos"));
  fs::copy_file(folder.file("scenes/val/scene_00000.png"), folder.file("photos/a.png"));
  for (const char* name : {"b.webp", "noext"}) write_file(folder.file(std::string("photos/") + name), "x");
  const Outcome outcome = run_giza("predict --weights run/last.safetensors --out seen --quiet photos", folder.path());
  CHECK(outcome.status == 0);
  CHECK(contains(outcome.err, "giza: photos: b.webp and noext are passed over: no JPEG or PNG by their names"));
}

}  // namespace giza::testing
