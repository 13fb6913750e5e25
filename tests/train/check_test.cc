// giza check: what it finds in data sets with known faults, and that what it proposes makes them fit.
#include "tensor/check.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tensor/parallel.h"
#include "tensor/random.h"
#include "tests/support/temp_folder.h"
#include "train/check/data_check.h"
#include "train/data/dataset.h"
#include "train/data/known_datasets.h"
#include "train/model_factory.h"

namespace giza::train {

namespace {

namespace fs = std::filesystem;

/// Pictures of 12 x 10 with noise, and their label maps, by lists `train.txt` and `val.txt`.
class Set {
 public:
  explicit Set(int classes = 3) {
    text_ = fmt::format(
        "DATA:\n  data_root: {0}\n  train_list: {0}/train.txt\n  val_list: {0}/val.txt\n  classes: {1}\nTRAIN:\n"
        "  batch_size: 1\n  train_h: 9\n  train_w: 9\n",
        folder_.path(), classes);
  }

  std::string file(const std::string& name) const { return folder_.file(name); }

  /// Adds a picture of labels, which repeat over the pixels, to a list.
  void add(const std::string& list, const std::string& name, const std::vector<int>& values) {
    LabelMap labels(12, 10);
    for (size_t i = 0; i < labels.index.size(); ++i) labels.index[i] = static_cast<uint8_t>(values[i % values.size()]);
    write_labels(file(name + "_l.png"), labels);
    add_image(list, name);
  }
  void add_image(const std::string& list, const std::string& name) {
    Image image(12, 10);
    Random random(3, Purpose::test, 0, static_cast<uint32_t>(++count_));
    for (uint8_t& value : image.rgb) value = static_cast<uint8_t>(random.next_below(256));
    write_image(file(name + ".png"), image);
    lists_[list] += name + ".png " + name + "_l.png\n";
    write_bytes(file(list + ".txt"), lists_[list]);
  }

  Config config(const std::vector<std::string>& overrides = {}) const {
    return parse_config(text_, "set.yaml", overrides);
  }
  DataReport check(const std::vector<std::string>& overrides = {}) const {
    return check_data(config(overrides), {.examples = 5, .progress = false});
  }

  /// The first proposal, after checking that every one of them makes the set fit and train loads it.
  Proposal accepted(std::vector<std::string> overrides = {}) const {
    const DataReport before = check(overrides);
    CHECK(!before.ok());
    REQUIRE(!before.proposals.empty());
    for (const Proposal& proposal : before.proposals) {
      std::vector<std::string> with = overrides;
      for (const auto& [key, value] : proposal.settings) {
        const auto same = std::find(with.begin(), with.end(), key);
        if (same != with.end()) with.erase(same, same + 2);
        with.insert(with.end(), {key, value});
      }
      CAPTURE(proposal.reason);
      CAPTURE(report_text(check(with)));
      CHECK(check(with).ok());
      const Dataset dataset(dataset_options(config(with), Split::train));
      for (int64_t i = 0; i < dataset.size(); ++i) CHECK_NOTHROW(dataset.load(i));
    }
    return before.proposals[0];
  }

 private:
  TempFolder folder_;
  std::string text_;
  std::map<std::string, std::string> lists_;
  int count_ = 0;
};

using Settings = std::vector<std::pair<std::string, std::string>>;

const Problem* find_problem(const DataReport& report, const std::string& kind) {
  for (const Problem& problem : report.problems) {
    if (problem.kind == kind) return &problem;
  }
  return nullptr;
}

bool is_fault(const DataReport& report, const std::string& kind) {
  const Problem* problem = find_problem(report, kind);
  return problem != nullptr && problem->severity == Problem::Severity::fault;
}

}  // namespace

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
  const int before = num_threads();
  std::vector<std::string> texts;
  for (const int threads : {1, 2, 5}) {
    set_num_threads(threads);
    DataReport report = set.check();
    report.seconds = 0;
    texts.push_back(report_json(report));
  }
  set_num_threads(before);
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
  CHECK(contains(report_text(report), "giza check --config set.yaml DATA.classes 5"));
  // The other overrides of the command line stay in what is to be typed.
  CHECK(contains(report_text(set.check({"TRAIN.epochs", "3", "DATA.classes", "2"})),
                 "--config set.yaml TRAIN.epochs 3 DATA.classes 5"));

  // Names say how many classes there are.
  write_bytes(set.file("names.txt"), "a\nb\nc\nd\ne\n");
  const std::vector<std::string> named = {"DATA.names_path", set.file("names.txt")};
  CHECK(is_fault(set.check(named), "names"));
  CHECK(set.accepted(named).settings == Settings{{"DATA.classes", "5"}});
  write_bytes(set.file("names.txt"), "a\nb\nc\n");
  CHECK(set.accepted(named).settings == Settings{{"DATA.label_map", "{0: 0, 1: 1, 2: 2, 3: -1, 4: -1}"}});
}

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
  CHECK(contains(report_text(report), "TRAIN.weight cannot be read"));
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
}

TEST_CASE("check: lists that cannot be read are refused") {
  const Set set;
  CHECK(contains(message_of<Refusal>([&] { set.check(); }), "train.txt: cannot be opened"));
  CHECK(contains(message_of<Refusal>([] { check_data(parse_config("", "f.yaml"), {.progress = false}); }),
                 "DATA.train_list has no value"));
}

}  // namespace giza::train
