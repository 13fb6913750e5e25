// giza check, and what a new user with semseg's files, palette labels, colour masks or a wrong class count meets.
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/cli/program.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"
#include "train/data/image/image.h"
#include "train/data/known_datasets.h"

namespace giza::testing {
namespace fs = std::filesystem;

namespace {

/// A folder like VOCdevkit/VOC2012, with palette PNGs: the scenes' pictures, classes 0 to 11.
void make_voc_folder(const fs::path& folder) {
  const fs::path root = folder / "VOC2012";
  for (const char* name : {"JPEGImages", "SegmentationClass", "ImageSets/Segmentation"})
    fs::create_directories(root / name);
  std::vector<train::Color> palette;
  for (size_t i = 0; i < 256; ++i) palette.push_back(train::voc_color(i));
  for (const auto& [part, count] : {std::pair<std::string, int>{"train", 8}, {"val", 2}}) {
    std::string list;
    for (int i = 0; i < count; ++i) {
      const std::string id = "scene_0000" + std::to_string(i), name = part + "_" + id;
      fs::copy_file(folder / "scenes" / part / (id + ".png"), root / "JPEGImages" / (name + ".jpg"));
      train::LabelMap labels = train::read_labels((folder / "scenes" / (part + "annot") / (id + ".png")).string());
      labels.at(0, 0) = 255;
      train::write_colored_labels((root / "SegmentationClass" / (name + ".png")).string(), labels, palette);
      list += name + "\n";
    }
    write_file(root / "ImageSets/Segmentation" / (part + ".txt"), list);
  }
}

/// Writes the label maps of the training scenes as RGB masks in the colours given.
void make_masks(const fs::path& folder, const std::vector<train::Color>& colors) {
  for (const auto& entry : fs::directory_iterator(folder / "scenes/trainannot")) {
    const std::string path = entry.path().string();
    train::write_image(path, train::colorize(train::read_labels(path), colors));
  }
}

}  // namespace

TEST_CASE("init: from folders to a training, by the commands that it prints") {
  const TempFolder folder;
  REQUIRE(run_giza("scenes --out s --train 10 --val 1 --size 48x64 --quiet", folder.path()).status == 0);
  const Outcome made =
      run_giza("init my --images s/train --labels s/trainannot --names s/names.txt --json", folder.path());
  CAPTURE(made.err);
  REQUIRE(made.status == 0);
  const auto json = nlohmann::json::parse(made.out);
  CHECK(json["train"] == 8);
  CHECK(json["val"] == 2);
  CHECK(json["classes"] == 12);
  CHECK(run_giza("check --config my/config.yaml", folder.path()).status == 0);
  const Outcome trained = run_giza(
      "train --config my/config.yaml --threads 1 --quiet TRAIN.epochs 1 TRAIN.width 0.125 TRAIN.blocks '[1,1,1,1]'",
      folder.path());
  CAPTURE(trained.err);
  CHECK(trained.status == 0);
  CHECK(run_giza("eval --config my/config.yaml --threads 1 --quiet", folder.path()).status == 0);
  const Outcome again = run_giza("init my --images s/train --labels s/trainannot", folder.path());
  CHECK(again.status == 2);
  CHECK(one_line_refusal(again.err));
}

TEST_CASE("check: a data set that fits") {
  const TempFolder folder;
  make_tiny_run(folder.path());
  const Outcome outcome = run_giza("check --config tiny.yaml", folder.path());
  CAPTURE(outcome.out);
  CHECK(outcome.status == 0);
  CHECK(contains(outcome.out, "train: 8 pictures of scenes/train.txt"));
  CHECK(contains(outcome.out, "val, test: 2 pictures"));
  CHECK(contains(outcome.out, "everything fits: training can start"));
  CHECK(contains(outcome.err, "10/10"));  // progress, on stderr
  const Outcome json = run_giza("check --config tiny.yaml --json --quiet --threads 3", folder.path());
  CHECK(json.err.empty());
  const auto report = nlohmann::json::parse(json.out);
  CHECK(report["ok"] == true);
  CHECK(report["parts"][0]["pictures"] == 8);
  CHECK(report["parts"][0]["classes"][0]["name"] == "sky");
}

TEST_CASE("check: faults, and train refuses the same in one line that points to it") {
  const TempFolder folder;
  make_tiny_run(folder.path());
  SUBCASE("a wrong class count, repaired by the command that is proposed") {
    const std::string wrong = "DATA.classes 9 DATA.names_path '' DATA.colors_path ''";
    const Outcome train = run_giza("train --config tiny.yaml --quiet " + wrong, folder.path());
    CHECK(train.status == 2);
    CHECK(one_line_refusal(train.err));
    CHECK(contains(train.err, "giza check"));
    const Outcome check = run_giza("check --config tiny.yaml --quiet " + wrong, folder.path());
    CHECK(check.status == 1);
    CHECK(contains(check.out, "      classes: 12\n"));
    const size_t at = check.out.find("try it: giza ");
    REQUIRE(at != std::string::npos);
    const std::string command = check.out.substr(at + 13, check.out.find('\n', at) - at - 13);
    CAPTURE(command);
    const Outcome repaired = run_giza(command + " --quiet", folder.path());
    CHECK(repaired.status == 0);
  }
  SUBCASE("the names say another number") {
    const Outcome check = run_giza("check --config tiny.yaml --quiet DATA.classes 9", folder.path());
    CHECK(check.status == 1);
    CHECK(contains(check.out, "has 12 names, expected DATA.classes = 9"));
    CHECK(contains(check.out, "DATA.classes 12"));
  }
  SUBCASE("masks in colours") {
    std::vector<train::Color> colors;
    for (size_t i = 0; i < 12; ++i) colors.push_back(train::voc_color(i));
    make_masks(folder.path(), colors);
    const Outcome train = run_giza("train --config tiny.yaml --quiet", folder.path());
    CHECK(train.status == 2);
    CHECK(one_line_refusal(train.err));
    CHECK(contains(train.err, "is RGB of 8 bits"));
    CHECK(contains(train.err, "giza check"));
    const Outcome check = run_giza("check --config tiny.yaml --quiet val_list '' test_list ''", folder.path());
    CHECK(check.status == 1);
    CHECK(contains(check.out, "8 label files with colours in place of class indices"));
    CHECK(contains(check.out, "label_colors: voc2012"));
    CHECK(run_giza("check --config tiny.yaml --quiet val_list '' test_list '' DATA.label_colors voc2012", folder.path())
              .status == 0);
    const Outcome trained =
        run_giza("train --config tiny.yaml --quiet epochs 1 DATA.label_colors voc2012", folder.path());
    CAPTURE(trained.err);
    CHECK(trained.status == 0);
  }
  SUBCASE("broken and missing files") {
    const fs::path image = folder.file("scenes/train/scene_00003.png");
    write_file(image, read_file(image).substr(0, 300));
    fs::remove(folder.file("scenes/valannot/scene_00001.png"));
    const Outcome check = run_giza("check --config tiny.yaml --quiet", folder.path());
    CHECK(check.status == 1);
    CHECK(contains(check.out, "truncated"));
    CHECK(contains(check.out, "scenes/val.txt:2: scenes/valannot/scene_00001.png: No such file"));
  }
  SUBCASE("a configuration or list that cannot be read") {
    const Outcome list = run_giza("check --config tiny.yaml --quiet DATA.train_list nowhere.txt", folder.path());
    CHECK(list.status == 2);
    CHECK(one_line_refusal(list.err));
    CHECK(run_giza("check --config nowhere.yaml", folder.path()).status == 2);
  }
}

TEST_CASE("a VOC-like folder with palette labels: check, train, eval, predict") {
  const TempFolder folder;
  make_tiny_run(folder.path());
  make_voc_folder(folder.path());
  write_file(folder.file("voc.yaml"), R"(DATA:
  dataset: voc2012
  data_root: VOC2012
TRAIN:
  layers: 18
  blocks: [1, 1, 1, 1]
  width: 0.125
  train_h: 49
  train_w: 97
  batch_size: 4
  epochs: 1
  evaluate: true
  save_path: run
TEST:
  base_size: 0
  test_h: 41
  test_w: 57
  save_masks: true
  model_path: run/last.safetensors
  save_folder: run/val
)");
  const Outcome check = run_giza("check --config voc.yaml --quiet", folder.path());
  CAPTURE(check.out);
  CHECK(check.status == 0);
  CHECK(contains(check.out, "palette PNGs: the index is read as the label"));
  CHECK(contains(check.out, " 15 person"));
  const Outcome train = run_giza("train --config voc.yaml --quiet", folder.path());
  CAPTURE(train.err);
  REQUIRE(train.status == 0);
  const Outcome eval = run_giza("eval --config voc.yaml --quiet --json", folder.path());
  CAPTURE(eval.err);
  CHECK(eval.status == 0);
  CHECK(nlohmann::json::parse(eval.out)["classes"][15]["name"] == "person");
  // semseg's folders: indices in gray, the same with a palette in color.
  const std::string name = "/val_scene_00000.png";
  const auto gray = train::read_labels(folder.file("run/val/gray") + name);
  CHECK(train::read_labels(folder.file("run/val/color") + name).index == gray.index);
  const train::Color seen = train::voc_color(gray.at(5, 5));
  const train::Image color = train::read_image(folder.file("run/val/color") + name);
  CHECK(std::equal(seen.begin(), seen.end(), color.at(5, 5)));

  fs::create_directories(folder.file("photos/sub"));
  fs::copy_file(folder.file("scenes/val/scene_00000.png"), folder.file("photos/a.png"));
  fs::copy_file(folder.file("scenes/val/scene_00001.png"), folder.file("photos/sub/a.PNG"));
  write_file(folder.file("photos/notes.txt"), "no picture");
  const Outcome predicted =
      run_giza("predict --weights run/last.safetensors --out seen photos --quiet --no-mirror", folder.path());
  CAPTURE(predicted.err);
  CHECK(predicted.status == 0);
  CHECK(fs::exists(folder.file("seen/a_label.png")));
  CHECK(fs::exists(folder.file("seen/sub/a_label.png")));
  // Again: what was written is not taken for pictures, and written anew.
  CHECK(run_giza("predict --weights run/last.safetensors --out seen photos --quiet --no-mirror", folder.path()).out ==
        predicted.out);
  CHECK(run_giza("predict --weights run/last.safetensors --out x VOC2012/ImageSets", folder.path()).status == 2);
  const std::string with_crf = "predict --weights run/last.safetensors --out crf photos --quiet --crf ";
  const Outcome refined = run_giza(with_crf + "--crf-iterations 2 --crf-filter lattice", folder.path());
  CAPTURE(refined.err);
  CHECK(refined.status == 0);
  for (const char* wrong : {"--crf-gaussian-xy 0", "--crf-filter both", "--crf-iterations 1.5", "--no-crf"}) {
    CAPTURE(wrong);
    const Outcome refused = run_giza(with_crf + wrong, folder.path());
    CHECK(refused.status == 2);
    CHECK(one_line_refusal(refused.err));
  }
}

TEST_CASE("semseg's own configuration: built-in names, and lists that are not there") {
  const TempFolder folder;
  const std::string yaml = std::string(GIZA_SOURCE_DIR) + "/tests/golden/semseg_voc2012.yaml";
  const Outcome nothing = run_giza("check --config " + yaml, folder.path());
  CHECK(nothing.status == 2);
  CHECK(contains(nothing.err, "data/voc2012/voc2012_names.txt: not found; the built-in names of PASCAL VOC 2012"));
  CHECK(contains(nothing.err, "train_aug.txt: cannot be found; write it"));
  CHECK(contains(nothing.err, "DATA.dataset voc2012 DATA.data_root DIR"));
  make_tiny_run(folder.path());
  make_voc_folder(folder.path());
  const std::string here = "DATA.dataset voc2012 DATA.data_root . train_list '' val_list '' test_list '' batch_size 4";
  const Outcome found = run_giza("check --config " + yaml + " --quiet " + here, folder.path());
  CAPTURE(found.err);
  CHECK(found.status == 0);
  const std::string psa = run_giza("check --config " + yaml + " arch psa", folder.path()).err;
  CHECK(contains(psa, "PSANet, which giza does not have"));
  CHECK(one_line_refusal(psa));
}

TEST_CASE("eval refuses two pictures of one name before it starts") {
  const TempFolder folder;
  make_tiny_run(folder.path());
  fs::create_directories(folder.file("scenes/other"));
  fs::copy_file(folder.file("scenes/val/scene_00001.png"), folder.file("scenes/other/scene_00000.png"));
  write_file(folder.file("two.txt"),
             "val/scene_00000.png valannot/scene_00000.png\n"
             "other/scene_00000.png valannot/scene_00001.png\n");
  REQUIRE(run_giza("train --config tiny.yaml --quiet epochs 1", folder.path()).status == 0);
  for (const std::string& split : {std::string("val"), std::string("test")}) {
    const Outcome eval = run_giza("eval --config tiny.yaml --quiet test_list two.txt split " + split, folder.path());
    CHECK(eval.status == 2);
    CHECK(one_line_refusal(eval.err));
    CHECK(contains(eval.err, "two.txt:2: "));
    CHECK(contains(eval.err, "(line 1)"));
    CHECK_FALSE(fs::exists(folder.file("run/val/gray/scene_00000.png")));
  }
}

}  // namespace giza::testing
