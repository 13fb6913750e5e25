// giza check: what it finds in data sets with known faults.
#include "tensor/base/check.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tensor/parallel.h"
#include "tests/support/picture_variants.h"
#include "tests/support/refusal.h"
#include "tests/support/scopes.h"
#include "tests/train/check/check_set.h"
#include "tests/train/picture_set.h"
#include "train/data/known_datasets.h"

namespace giza::train {

namespace fs = std::filesystem;

TEST_CASE("check: a set that fits") {
  Set set;
  set.add("train", "a", {0, 0, 1, 255});
  set.add("train", "b", {0, 2});
  set.add("val", "v", {0, 1, 2});
  const DataReport report = set.check();
  CAPTURE(report_text(report));
  CHECK(report.ok());
  CHECK(report.proposals.empty());
  REQUIRE(report.parts.size() == 2);
  const PartReport& train = report.parts[0];
  CHECK(train.pictures == 2);
  CHECK(train.classes[0].pixels == 60 + 60);
  CHECK(train.classes[0].pictures == 2);
  CHECK(train.classes[1].pixels == 30);
  CHECK(train.classes[2].pixels == 60);
  CHECK(train.classes[3].pixels == 30);  // ignored
  CHECK(train.valid_pixels() == 210);
  CHECK(train.smallest == std::array<int, 2>{12, 10});
  // Mean and deviation against sums of their own.
  double sum = 0, squares = 0;
  for (const char* name : {"a.png", "b.png"}) {
    const Image image = read_image(set.file(name));
    for (size_t i = 1; i < image.rgb.size(); i += 3) {
      sum += image.rgb[i] / 255.0;
      squares += image.rgb[i] / 255.0 * image.rgb[i] / 255.0;
    }
  }
  CHECK(train.mean[1] == doctest::Approx(sum / 240).epsilon(1e-12));
  CHECK(train.deviation[1] == doctest::Approx(std::sqrt(squares / 240 - sum / 240 * sum / 240)).epsilon(1e-9));
  CHECK(report_text(report).find("everything fits: training can start") != std::string::npos);
}

TEST_CASE("check: the same report at any number of threads") {
  Set set;
  for (int i = 0; i < 9; ++i) set.add("train", fmt::format("p{}", i), {0, i, 200 + i % 2});
  set.add("val", "v", {0, 1, 2});
  std::vector<std::string> texts;
  for (const int threads : {1, 2, 5}) {
    const ThreadScope scope(threads);
    DataReport report = set.check();
    report.seconds = 0;
    texts.push_back(report_json(report));
  }
  CHECK(texts[0] == texts[1]);
  CHECK(texts[0] == texts[2]);
}

TEST_CASE("check: wrong class count, with the first place of each value") {
  Set set;
  set.add("train", "a", {0, 1, 2});
  set.add("train", "b", {0, 1, 2, 3});
  set.add("train", "c", {3, 4});
  set.add("val", "v", {0, 4});
  const DataReport report = set.check();
  CHECK(is_fault(report, "value"));
  const ValueCount& three = report.parts[0].values[3];
  CHECK_FALSE(three.fits);
  CHECK(three.pixels == 30 + 60);
  CHECK(three.files == 2);
  CHECK(three.file == set.file("b_l.png"));
  CHECK(three.x == 3);
  CHECK(three.y == 0);
  CHECK(contains(report_text(report), "value 3: 90 pixels in 2 files, first at x 3, y 0 of " + set.file("b_l.png")));
  CHECK(set.accepted().settings == Settings{{"DATA.classes", "5"}});
  const auto command = [](const KeyValues& settings) { return "again with " + settings.front().second; };
  CHECK(contains(report_text(report, command), "try it: again with 5"));
  CHECK(nlohmann::json::parse(report_json(report, command))["proposals"][0]["command"] == "again with 5");

  // Names say how many classes there are.
  write_bytes(set.file("names.txt"), "a\nb\nc\nd\ne\n");
  const std::vector<std::string> named = {"DATA.names_path", set.file("names.txt")};
  CHECK(is_fault(set.check(named), "names"));
  CHECK(set.accepted(named).settings == Settings{{"DATA.classes", "5"}});
  write_bytes(set.file("names.txt"), "a\nb\nc\n");
  CHECK(set.accepted(named).settings == Settings{{"DATA.label_map", "{0: 0, 1: 1, 2: 2, 3: -1, 4: -1}"}});
}

TEST_CASE("check: every bad file is named") {
  Set set;
  for (const char* name : {"a", "b", "c", "d", "e"}) set.add("train", name, {0, 1, 2});
  set.add("val", "v", {0, 1, 2});
  fs::remove(set.file("a_l.png"));
  fs::remove(set.file("b.png"));
  write_bytes(set.file("c.png"), read_bytes(set.file("c.png")).substr(0, 200));
  write_labels(set.file("d_l.png"), LabelMap(12, 9, 1));
  write_bytes(set.file("v_l.png"), "no picture at all");
  const DataReport report = set.check();
  CAPTURE(report_text(report));
  CHECK(report.faults() == 4);
  REQUIRE(is_fault(report, "missing"));
  const Problem& missing = *find_problem(report, "missing");
  CHECK(missing.count == 2);
  REQUIRE(missing.examples.size() == 2);
  CHECK(missing.examples[0].starts_with(set.file("train.txt") + ":1: " + set.file("a_l.png")));
  CHECK(missing.examples[1].starts_with(set.file("train.txt") + ":2: " + set.file("b.png")));
  CHECK(is_fault(report, "unreadable"));
  CHECK(contains(report_text(report), "12 x 9, but its image"));
  CHECK(contains(report_text(report), "v_l.png: is neither JPEG nor PNG"));
  CHECK(contains(report_text(report), "training cannot start: 4 kinds of fault"));
  CHECK(nlohmann::json::parse(report_json(report))["ok"] == false);
  // A bounded list.
  const DataReport brief = check_data(set.config(), {.examples = 1, .progress = false});
  CHECK(find_problem(brief, "missing")->examples.size() == 1);
  CHECK(contains(report_text(brief), "... and 1 more"));
  // No name reaches a terminal as it stands.
  set.add("train", "e\x1b[31m", {0, 1, 2});
  fs::remove(set.file("e\x1b[31m.png"));
  CHECK(!contains(report_text(set.check()), "\x1b"));
}

TEST_CASE("check: images that EXIF turns are named") {
  Set set;
  const PictureVariants variants;
  for (const char* name : {"a", "b", "c"}) set.add("train", name, {0, 1, 2});
  set.add("val", "v", {0, 1, 2});
  variants.write("png_exif_mm_3", set.file("a.png"));
  write_labels(set.file("a_l.png"), LabelMap(9, 6));
  variants.write("png_exif_ii_8", set.file("b.png"));
  write_labels(set.file("b_l.png"), LabelMap(9, 6));
  const DataReport report = set.check();
  CAPTURE(report_text(report));
  const Problem* turned = find_problem(report, "orientation");
  REQUIRE(turned != nullptr);
  CHECK(turned->severity == Problem::Severity::warning);
  CHECK(turned->count == 2);
  CHECK(turned->examples[0] == set.file("train.txt") + ":1: " + set.file("a.png") + ": orientation 3");
  REQUIRE(is_fault(report, "size"));
  CHECK(contains(find_problem(report, "size")->examples[0], "turned by its EXIF orientation 8"));
}

TEST_CASE("check: label files that EXIF turns, of few bits, or in colours of 16 bits are named") {
  Set set;
  const PictureVariants variants;
  for (const char* name : {"a", "b", "c"}) set.add("train", name, {0, 1, 2});
  set.add("val", "v", {0, 1, 2});
  const auto text = [&] { return report_text(set.check()); };
  CHECK(find_problem(set.check(), "narrow") == nullptr);
  variants.write("png_grey2_13x8", set.file("b_l.png"));
  CHECK(contains(text(), "train: 1 label file has 1, 2 or 4 bits per pixel"));
  variants.write("png_labels_exif_3", set.file("a_l.png"));
  CHECK(contains(text(), "train: 1 label file is turned or mirrored by the EXIF orientation"));
  CHECK(contains(text(), set.file("a_l.png") + ": orientation 3"));
  variants.write("png_rgb16_13x8", set.file("c_l.png"));
  const DataReport report = set.check();
  CHECK(is_fault(report, "unreadable"));
  CHECK(contains(report_text(report), "c_l.png: holds colours of 16 bits for each value"));
  CHECK(find_problem(report, "color") == nullptr);
}

TEST_CASE("check: hostile files") {
  Set set;
  set.add("train", "a", {0, 1, 2});
  set.add("train", "b", {0, 1, 2});
  // A header that promises 2^28 pixels in a few bytes; a pipe; a folder.
  std::string bytes = read_bytes(set.file("a_l.png"));
  bytes.replace(16, 8, std::string("\0\0\x40\0\0\0\x40\0", 8));
  write_bytes(set.file("a_l.png"), bytes);
  fs::remove(set.file("b.png"));
  REQUIRE(std::system(("mkfifo '" + set.file("b.png") + "'").c_str()) == 0);
  fs::remove(set.file("b_l.png"));
  fs::create_directory(set.file("b_l.png"));
  const DataReport report = set.check({"DATA.val_list", ""});
  CHECK(find_problem(report, "unreadable")->count == 3);
}

TEST_CASE("check: absent and dominant classes, repeated pictures, small ones, grey ones, small lists") {
  Set set(4);
  std::vector<int> mostly(20, 0);
  mostly[0] = 1;
  set.add("train", "a", mostly);
  set.add("val", "v", {0, 1, 2});
  fs::copy_file(set.file("a.png"), set.file("v.png"), fs::copy_options::overwrite_existing);
  const DataReport report = set.check({"TRAIN.train_w", "20"});
  CHECK(report.ok());
  CHECK(contains(find_problem(report, "absent")->message, "train: 2 classes are in no picture"));
  CHECK(contains(find_problem(report, "dominant")->message, "class 0 has 95.0 %"));
  CHECK(contains(find_problem(report, "repeated")->message, "train and val: 1 picture is in both"));
  CHECK(find_problem(report, "small")->count == 1);
  CHECK(find_problem(set.check({"TRAIN.train_h", "11"}), "small")->count == 1);
  CHECK(find_problem(set.check({"TRAIN.train_h", "10", "TRAIN.train_w", "12"}), "small") == nullptr);
  CHECK(is_fault(set.check({"TRAIN.batch_size", "2"}), "batch"));
  Image grey(12, 10);
  std::fill(grey.rgb.begin(), grey.rgb.end(), uint8_t{90});
  write_image(set.file("a.png"), grey);
  CHECK(find_problem(set.check(), "grey")->count == 1);
}

TEST_CASE("check: results of one name, and a test list without labels") {
  Set set;
  set.add("train", "a", {0, 1, 2});
  fs::create_directory(set.file("sub"));
  fs::copy_file(set.file("a.png"), set.file("sub/a.png"));
  write_bytes(set.file("test.txt"), "a.png\nsub/a.png\n");
  const DataReport report =
      set.check({"DATA.val_list", "", "TEST.test_list", set.file("test.txt"), "TEST.split", "test"});
  REQUIRE(report.parts.size() == 2);
  CHECK_FALSE(report.parts[1].labelled);
  CHECK(is_fault(report, "name"));
  CHECK(contains(find_problem(report, "name")->examples[0], set.file("test.txt") + ":2: "));
  // Nothing is written of a test without masks.
  write_bytes(set.file("test.txt"), "a.png a_l.png\nsub/a.png a_l.png\n");
  const DataReport judged = set.check({"DATA.val_list", "", "TEST.test_list", set.file("test.txt")});
  CHECK(judged.ok());
  CHECK(find_problem(judged, "name")->severity == Problem::Severity::warning);
  CHECK(is_fault(set.check({"DATA.val_list", "", "TEST.test_list", set.file("test.txt"), "TEST.save_masks", "true"}),
                 "name"));
}

TEST_CASE("check: a part of a folder layout that is not there is said, one that is there and broken is a fault") {
  const PictureSet set;
  const auto check = [&] { return check_data(set.config("run"), {.examples = 5, .progress = false}); };
  CHECK(check().ok());
  CHECK(find_problem(check(), "absent") == nullptr);

  fs::rename(set.file("val"), set.file("aside"));
  const DataReport without = check();
  CHECK(without.ok());
  CHECK(without.parts.size() == 1);
  REQUIRE(find_problem(without, "absent") != nullptr);
  CHECK(contains(find_problem(without, "absent")->message,
                 "no val part: " + set.file("val").substr(0, set.file("val").size() - 4)));
  CHECK(contains(find_problem(without, "absent")->message, "has no folder val"));

  fs::create_symlink("nowhere", set.file("val"));
  CHECK(
      contains(find_problem(check(), "listing")->message, "val: is a link that leads nowhere; mend it, or remove it"));
  fs::remove(set.file("val"));
  fs::rename(set.file("aside"), set.file("val"));
  fs::create_directory(set.file("val/violet"));
  const DataReport broken = check();
  CHECK(is_fault(broken, "listing"));
  CHECK(contains(find_problem(broken, "listing")->message, "val/violet: is the folder of no class"));
  CHECK(broken.problems.front().severity == Problem::Severity::fault);
}

TEST_CASE("check: how far weak labels are from the masks") {
  Set set;
  // A diagonal of ten pixels, whose box has a hundred.
  std::vector<int> diagonal(120, 0);
  for (size_t i = 0; i < 10; ++i) diagonal[12 * i + i] = 1;
  set.add("train", "a", diagonal);
  set.add("train", "b", {0, 2});
  set.add("val", "c", {0, 1, 2});
  const DataReport full = set.check();
  CHECK(find_problem(full, "weak") == nullptr);
  const DataReport report = set.check({"DATA.weak_labels", "box", "DATA.thing_classes", "[1]"});
  const Problem* note = find_problem(report, "weak");
  REQUIRE(note != nullptr);
  CHECK(note->severity == Problem::Severity::note);
  // 90 of 240.
  CHECK(note->message ==
        "train: DATA.weak_labels box: 2 of 2 pictures have boxes in place of masks: of the labelled pixels there, "
        "37.50 % "
        "get another class and 0.00 % are ignored");
  // Every second column is class 2, whose middle fifth is one column of four pixels.
  CHECK(
      contains(find_problem(set.check({"DATA.weak_labels", "box_inner", "DATA.thing_classes", "[2]"}), "weak")->message,
               "0.00 % get another class and 15.00 % are ignored"));
  CHECK(report.parts[0].classes[1].pixels == full.parts[0].classes[1].pixels);  // the table is of the files
}

TEST_CASE("check: lists that cannot be read are refused") {
  const Set set;
  CHECK(contains(message_of<Refusal>([&] { set.check(); }), "train.txt: there is no such file"));
  CHECK(contains(message_of<Refusal>([] { check_data(parse_config("", "f.yaml"), {.progress = false}); }),
                 "DATA.train_list has no value"));
}

}  // namespace giza::train
