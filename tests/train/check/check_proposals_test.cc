// giza check: that what it proposes makes a data set fit.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "tests/support/refusal.h"
#include "tests/train/check/check_set.h"
#include "train/data/known_datasets.h"

namespace giza::train {

namespace fs = std::filesystem;

TEST_CASE("check: another ignore label") {
  Set set;
  set.add("train", "a", {0, 1, 2, 200});
  set.add("val", "v", {0, 1, 2});
  CHECK(set.accepted().settings == Settings{{"TRAIN.ignore_label", "200"}});
  set.add("train", "b", {255, 1});  // both mean "no class"
  CHECK(set.accepted().settings == Settings{{"DATA.label_map", "{0: 0, 1: 1, 2: 2, 200: -1, 255: -1}"}});
  // CamVid's.
  Set camvid(11);
  camvid.add("train", "a", {0, 5, 10, 11});
  CHECK(camvid.accepted({"DATA.val_list", ""}).settings == Settings{{"TRAIN.ignore_label", "11"}});
}

TEST_CASE("check: classes counted from 1, and ADE20K's files") {
  Set set;
  set.add("train", "a", {1, 2, 3});
  set.add("val", "v", {1, 3, 255});
  CHECK(set.accepted().settings == Settings{{"DATA.reduce_zero_label", "true"}});
  Set ade(150);
  ade.add("train", "a", {0, 1, 150});
  const std::vector<std::string> only = {"DATA.val_list", ""};
  CHECK(ade.accepted(only).settings == Settings{{"DATA.reduce_zero_label", "true"}});
  // semseg's label files begin at 0 already.
  Set zero(150);
  zero.add("train", "a", {0, 1, 149, 255});
  const DataReport report = zero.check({"DATA.val_list", "", "DATA.reduce_zero_label", "true"});
  CHECK(report.ok());
  CHECK(find_problem(report, "zero") != nullptr);
}

TEST_CASE("check: Cityscapes' labelIds, grey levels, two values") {
  Set city(19);
  city.add("train", "a", {0, 3, 7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 33});
  const Proposal proposal = city.accepted({"DATA.val_list", ""});
  REQUIRE(proposal.settings.size() == 1);
  CHECK(proposal.settings[0].second.starts_with("{7: 0, 8: 1, 11: 2"));
  CHECK(contains(proposal.reason, "Cityscapes"));

  Set levels;
  levels.add("train", "a", {0, 128, 254});
  CHECK(levels.accepted({"DATA.val_list", ""}).settings == Settings{{"DATA.label_map", "{0: 0, 128: 1, 254: 2}"}});

  Set two(2);
  two.add("train", "a", {0, 255});
  const DataReport report = two.check({"DATA.val_list", ""});
  CHECK(report.ok());
  REQUIRE(find_problem(report, "binary") != nullptr);
  CHECK(contains(find_problem(report, "binary")->message, "DATA.label_map '{0: 0, 255: 1}'"));
  CHECK(find_problem(two.check({"DATA.val_list", "", "DATA.label_map", "{0: 0, 255: 1}"}), "binary") == nullptr);
}

TEST_CASE("check: a proposal must leave every list something to learn or judge") {
  Set set;
  set.add("train", "a", {0, 1, 2, 255});
  set.add("val", "v", {3, 11, 40});
  // A map that ignores 3, 11 and 40 fits all values, but then validation is empty.
  const std::string map = "{0: 0, 1: 1, 2: 2, 3: -1, 11: -1, 40: -1, 255: -1}";
  CHECK(is_fault(set.check({"DATA.label_map", map}), "ignored"));
  for (const Proposal& proposal : set.check().proposals) CHECK(proposal.settings != Settings{{"DATA.label_map", map}});
  set.add("val", "w", {0, 3});
  CHECK(set.accepted().settings == Settings{{"DATA.label_map", map}});

  // The same with colours: what one list holds says nothing of the other.
  Set masks;
  const std::vector<Color> own = {{9, 8, 7}, {1, 2, 3}, {200, 100, 0}, {0, 0, 0}};
  masks.add_image("train", "a");
  masks.add_image("val", "v");
  LabelMap labels(12, 10, 0);
  for (size_t i = 0; i < labels.index.size(); ++i) labels.index[i] = static_cast<uint8_t>(i % 3);
  write_image(masks.file("a_l.png"), colorize(labels, own));
  write_image(masks.file("v_l.png"), colorize(LabelMap(12, 10, 3), own));  // black: ignored
  write_bytes(masks.file("colors.txt"), "9 8 7\n1 2 3\n200 100 0\n");
  const std::vector<std::string> path = {"DATA.colors_path", masks.file("colors.txt")};
  CHECK(masks.check(path).proposals.empty());
  write_image(masks.file("v_l.png"), colorize(LabelMap(12, 10, 2), own));
  CHECK(masks.accepted(path).settings == Settings{{"DATA.label_colors", masks.file("colors.txt")}});

  // Another number of classes does not help where the names cannot be read.
  Set named;
  named.add("train", "a", {0, 1, 2, 3});
  CHECK(named.check({"DATA.val_list", "", "DATA.names_path", named.file("nowhere.txt")}).proposals.empty());
}

TEST_CASE("check: 255 beside dense values is no class") {
  Set three;
  three.add("train", "a", {0, 1, 2, 255});
  const std::vector<std::string> other = {"DATA.val_list", "", "TRAIN.ignore_label", "11"};
  const auto makes_255_a_class = [](const DataReport& report) {
    return std::any_of(report.proposals.begin(), report.proposals.end(), [](const Proposal& proposal) {
      return std::any_of(proposal.settings.begin(), proposal.settings.end(), [](const auto& setting) {
        return (setting.first == "DATA.classes" && setting.second == "256") ||
               (contains(setting.second, "255: ") && !contains(setting.second, "255: -1"));
      });
    });
  };
  CHECK(three.accepted(other).settings == Settings{{"TRAIN.ignore_label", "255"}});
  CHECK_FALSE(makes_255_a_class(three.check(other)));

  Set four;
  four.add("train", "a", {0, 1, 2, 3, 255});
  CHECK(four.accepted(other).settings == Settings{{"DATA.classes", "4"}, {"TRAIN.ignore_label", "255"}});
  CHECK_FALSE(makes_255_a_class(four.check(other)));
  four.add("train", "b", {11});  // both ignored
  CHECK(four.accepted(other).settings ==
        Settings{{"DATA.classes", "4"}, {"DATA.label_map", "{0: 0, 1: 1, 2: 2, 3: 3, 11: -1, 255: -1}"}});

  std::vector<int> many = {255};
  for (int i = 0; i < 150; ++i) many.push_back(i);  // more than half of 256 values
  Set dense;
  for (const char* name : {"a", "b"}) {
    dense.add("train", name, many);
    std::rotate(many.begin(), many.begin() + 60, many.end());
  }
  CHECK_FALSE(makes_255_a_class(dense.check({"DATA.val_list", "", "TRAIN.ignore_label", "200"})));
  CHECK(dense.accepted({"DATA.val_list", "", "TRAIN.ignore_label", "200"}).settings[0].second == "150");

  Set levels(4);
  levels.add("train", "a", {0, 85, 170, 255});
  CHECK(levels.accepted({"DATA.val_list", ""}).settings ==
        Settings{{"DATA.label_map", "{0: 0, 85: 1, 170: 2, 255: 3}"}});
}

TEST_CASE("check: initial weights that are not there") {
  Set set;
  set.add("train", "a", {0, 1, 2});
  const std::vector<std::string> missing = {"DATA.val_list", "", "TRAIN.weight", set.file("none.pth")};
  const DataReport report = set.check(missing);
  CHECK(report.ok());
  CHECK_FALSE(report.can_start());
  REQUIRE(find_problem(report, "weight") != nullptr);
  CHECK(find_problem(report, "weight")->severity == Problem::Severity::warning);
  CHECK(contains(find_problem(report, "weight")->message, "TRAIN.weight ''"));
  CHECK_FALSE(contains(report_text(report), "training can start"));
  CHECK(contains(report_text(report), "the data fits, but training cannot start"));
  CHECK(find_problem(set.check({"DATA.val_list", "", "TRAIN.weight", fs::temp_directory_path().string()}), "weight"));
  write_bytes(set.file("none.pth"), "x");
  CHECK(set.check(missing).can_start());
}

TEST_CASE("check: built-in names of another number of classes") {
  Set set(20);
  set.add("train", "a", {0, 1, 20});
  const std::vector<std::string> names = {"DATA.val_list", "", "TEST.names_path", "data/voc2012/voc2012_names.txt"};
  const DataReport report = set.check(names);
  REQUIRE(is_fault(report, "names"));
  CHECK(contains(find_problem(report, "names")->message, "PASCAL VOC 2012 are 21, but DATA.classes is 20"));
  CHECK(set.accepted(names).settings == Settings{{"DATA.classes", "21"}});
}

TEST_CASE("check: masks in colours") {
  for (const char* name : {"voc2012", "camvid", "cityscapes"}) {
    CAPTURE(name);
    const KnownDataset& known = *find_known_dataset(name);
    Set set(known.classes());
    set.add_image("train", "a");
    LabelMap labels(12, 10);
    for (size_t i = 0; i < labels.index.size(); ++i) labels.index[i] = static_cast<uint8_t>(i % known.names.size());
    Image mask = colorize(labels, {known.colors.begin(), known.colors.end()});
    std::copy_n(known.void_colors[0].begin(), 3, mask.at(3, 3));
    write_image(set.file("a_l.png"), mask);
    const DataReport report = set.check({"DATA.val_list", ""});
    CHECK(is_fault(report, "color"));
    CHECK(report.parts[0].colors.at(known.colors[2]).pixels >= 5);
    CHECK(set.accepted({"DATA.val_list", ""}).settings == Settings{{"DATA.label_colors", name}});
  }
  // Colours and the number of classes are wrong; then the colours of a file.
  Set set(2);
  set.add_image("train", "a");
  LabelMap labels(12, 10);
  for (size_t i = 0; i < labels.index.size(); ++i) labels.index[i] = static_cast<uint8_t>(i % 3);
  const std::vector<Color> own = {{9, 8, 7}, {1, 2, 3}, {200, 100, 0}};
  write_image(set.file("a_l.png"), colorize(labels, own));
  const DataReport unknown = set.check({"DATA.val_list", ""});
  CHECK(is_fault(unknown, "color"));
  CHECK(unknown.proposals.empty());
  CHECK(contains(report_text(unknown), "(200, 100, 0): 40 pixels in 1 file, first at x 2, y 0"));
  write_bytes(set.file("colors.txt"), "9 8 7\n1 2 3\n200 100 0\n");
  CHECK(set.accepted({"DATA.val_list", "", "DATA.colors_path", set.file("colors.txt")}).settings ==
        Settings{{"DATA.label_colors", set.file("colors.txt")}, {"DATA.classes", "3"}});
  // Indices that were saved as RGB.
  write_image(set.file("a_l.png"), colorize(labels, {{0, 0, 0}, {1, 1, 1}, {2, 2, 2}}));
  CHECK(set.accepted({"DATA.val_list", ""}).settings == Settings{{"DATA.label_colors", "grey"}, {"DATA.classes", "3"}});
  // A photograph in place of a mask.
  fs::copy_file(set.file("a.png"), set.file("a_l.png"), fs::copy_options::overwrite_existing);
  CHECK(is_fault(set.check({"DATA.val_list", ""}), "color"));
  Image noise(200, 100);
  Random random(1, Purpose::test, 0, 0);
  for (uint8_t& value : noise.rgb) value = static_cast<uint8_t>(random.next_below(256));
  write_image(set.file("a.png"), noise);
  write_image(set.file("a_l.png"), noise);
  CHECK(contains(report_text(set.check({"DATA.val_list", ""})), "thousands of colours"));
}

}  // namespace giza::train
