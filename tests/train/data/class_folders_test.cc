// Data sets of whole pictures: a folder per class, and lists of classes.
#include "train/data/class_folders.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "tensor/base/check.h"
#include "tests/support/refusal.h"
#include "tests/train/picture_set.h"
#include "train/config/parts.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;

std::vector<int> classes_of(const Layout& layout) {
  std::vector<int> classes;
  for (const ListEntry& entry : layout.entries) classes.push_back(entry.picture_class);
  return classes;
}

TEST_CASE("class folders: classes are the folders of train, sorted, or those of a file of names") {
  const PictureSet set(2, 1);
  const std::string root = set.file("");
  CHECK(class_folders(root) == std::vector<std::string>{"blue", "green", "red"});
  CHECK(classes_of(read_class_folders(root, Split::train, 3, {})) == std::vector<int>{0, 0, 1, 1, 2, 2});
  CHECK(classes_of(read_class_folders(root, Split::val, 3, {"red", "blue", "green"})) == std::vector<int>{1, 2, 0});
  // Pictures may lie deeper, and not every class needs to be validated.
  fs::create_directories(set.file("val/red/deep/er"));
  fs::rename(set.picture("val", 2, 0), set.file("val/red/deep/er/X.PNG"));
  fs::remove_all(set.file("val/blue"));
  CHECK(classes_of(read_class_folders(root, Split::val, 3, {})) == std::vector<int>{1, 2});
  fs::create_directories(set.file("test/any"));
  fs::copy_file(set.picture("train", 0, 0), set.file("test/any/1.png"));
  CHECK(classes_of(read_class_folders(root, Split::test, 3, {})) == std::vector<int>{-1});

  const Config config = set.config("run");
  CHECK(class_names(config) == std::vector<std::string>{"blue", "green", "red"});
  const Dataset dataset(dataset_options(config, Split::val));
  CHECK(dataset.load(1)->labels.index == std::vector<uint8_t>{2});
  CHECK(dataset.raw_labels(0).index == std::vector<uint8_t>{1});
  // Without train, the names are needed.
  fs::remove_all(set.file("train"));
  CHECK(contains(message_of<Refusal>([&] { Dataset(dataset_options(config, Split::val)); }), "has no folder train"));
  CHECK(read_class_folders(root, Split::val, 3, {"blue", "green", "red"}).entries.size() == 2);
}

TEST_CASE("class folders: what is wrong is refused with the file's name") {
  const auto refusal = [](const PictureSet& set, Split split = Split::train, int classes = 3,
                          const std::vector<std::string>& names = {}) {
    return message_of<Refusal>([&] { read_class_folders(set.file(""), split, classes, names); });
  };
  {
    const PictureSet set;
    CHECK(contains(refusal(set, Split::train, 150),
                   "train: holds the folders of 3 classes, but DATA.classes is 150; set "
                   "DATA.classes 3"));
    CHECK(contains(refusal(set, Split::test), "has no folder test"));
    CHECK(contains(refusal(set, Split::train, 3, {"blue", "green", "pink"}), "train/red: is the folder of no class"));
    CHECK(contains(refusal(set, Split::train, 4, {"blue", "green", "pink", "red"}), "train: has no folder pink"));
    fs::create_directories(set.file("val/violet"));
    CHECK(contains(refusal(set, Split::val), "val/violet: is the folder of no class: train has none of that name"));
  }
  {
    const PictureSet set;
    fs::create_directories(set.file("train/empty"));
    CHECK(contains(refusal(set, Split::train, 4), "train/empty: holds no pictures (.jpg"));
    fs::copy_file(set.picture("train", 0, 0), set.file("train/stray.png"));
    CHECK(contains(refusal(set, Split::train, 4), "train/stray.png: lies beside the folders of the classes"));
  }
  {
    const PictureSet set;
    fs::remove_all(set.file("train/blue"));
    fs::remove_all(set.file("train/green"));
    CHECK(contains(refusal(set, Split::train, 2), "the folder red alone, expected two classes or more"));
    fs::remove_all(set.file("train/red"));
    CHECK(contains(refusal(set, Split::train, 2), "train: holds no folders"));
    fs::remove_all(set.file("train"));
    CHECK(contains(refusal(set), "has no folder train"));
  }
  CHECK(contains(message_of<Refusal>([] { read_class_folders("", Split::train, 2, {}); }),
                 "DATA.data_root has no value"));
}

TEST_CASE("class lists: a path and a class, with the separators that lists have") {
  const TempFolder folder;
  const std::string list = folder.file("list.txt");
  const auto read = [&](const std::string& text, LabelColumn column = LabelColumn::required) {
    write_bytes(list, text);
    return read_class_list(list, "/root", 3, column);
  };
  const auto entries = read("# comment\na.png 0\n\nb c.png,2\r\n\"d e.png\" 1\nf.png;1\ng.png\t2\nh,i.png, 0\n");
  REQUIRE(entries.size() == 6);
  const std::vector<std::pair<std::string, int>> expected = {{"a.png", 0}, {"b c.png", 2}, {"d e.png", 1},
                                                             {"f.png", 1}, {"g.png", 2},   {"h,i.png", 0}};
  for (size_t i = 0; i < entries.size(); ++i) {
    CHECK(entries[i].image == "/root/" + expected[i].first);
    CHECK(entries[i].picture_class == expected[i].second);
    CHECK(entries[i].label.empty());
  }
  CHECK(read("a.png\n", LabelColumn::optional)[0].picture_class == -1);
  const auto refusal = [&](const std::string& text) { return message_of<Refusal>([&] { read(text); }); };
  CHECK(contains(refusal("a.png 0\nb.png 3\n"), "list.txt:2: the class is '3', expected a number from 0 to 2"));
  CHECK(contains(refusal("a.png -1\n"), "list.txt:1: the class is '-1'"));
  CHECK(contains(refusal("a.png a_label.png\n"), "list.txt:1: the class is 'a_label.png'"));
  CHECK(contains(refusal("a.png 99999999999999999999\n"), "list.txt:1: the class is"));
  CHECK(contains(refusal("a.png\n"), "list.txt:1: has 1 field, expected 'IMAGE CLASS'"));
  CHECK(contains(refusal("\n"), "lists no pictures"));
}

TEST_CASE("whole pictures: keys that do not go together are refused at their place") {
  const auto refusal = [](const std::string& data, const std::string& train) {
    return message_of<Refusal>([&] { parse_config("DATA:\n" + data + "TRAIN:\n" + train, "f.yaml"); });
  };
  CHECK(contains(refusal("  dataset: folders\n", "  arch: psp\n"), "f.yaml:2: DATA.dataset folders has one class"));
  CHECK(contains(refusal("  dataset: ade20k\n", "  arch: spp\n"),
                 "f.yaml:2: DATA.dataset ade20k has a class for each pixel"));
  CHECK(contains(refusal("  classes: 5\n  label_map: {1: 2}\n", "  arch: classifier\n"),
                 "f.yaml:3: DATA.label_map is about"));
  CHECK(contains(refusal("  classes: 5\n  reduce_zero_label: true\n", "  arch: classifier\n"),
                 "f.yaml:3: DATA.reduce_zero"));
  CHECK(
      contains(refusal("  classes: 5\n  label_colors: grey\n", "  arch: classifier\n"), "f.yaml:3: DATA.label_colors"));
  CHECK(contains(refusal("  classes: 256\n", "  arch: classifier\n"),
                 "TRAIN.ignore_label 255 is one of the 256 classes"));
  CHECK(contains(refusal("  classes: 5\n", "  lr_policy: step\n"),
                 "f.yaml:4: TRAIN.lr_policy is step, but TRAIN.lr_steps"));
  CHECK(contains(refusal("  classes: 5\n", "  lr_steps: [3]\n"), "f.yaml:4: TRAIN.lr_steps would do nothing"));
  CHECK(contains(refusal("  classes: 5\n", "  lr_policy: step\n  lr_steps: [5, 3]\n"),
                 "f.yaml:5: TRAIN.lr_steps [5, 3] do not ascend"));
  const Config config = parse_config("DATA: {classes: 5}\nTRAIN: {arch: spp, lr_policy: fixed}", "f.yaml");
  CHECK(classifies_pictures(config));
  CHECK(train_transforms(config).whole_picture);
}

}  // namespace
}  // namespace giza::train
