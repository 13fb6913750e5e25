// Data sets: pairs, label tables, faults in labels, and the cache.
#include "train/data/dataset.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "tensor/base/check.h"
#include "tests/support/picture_variants.h"
#include "tests/support/refusal.h"
#include "tests/support/skip.h"
#include "tests/support/temp_folder.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;

/// A folder with a list of small pictures, all of one colour and one class: image i is i everywhere, label i % 3.
struct TinySet {
  TempFolder temp;
  std::string folder = temp.path();
  DatasetOptions options;

  explicit TinySet(int pictures) {
    std::ofstream list(folder + "/list.txt");
    for (int i = 0; i < pictures; ++i) {
      Image image(6, 5);
      image.rgb.assign(image.rgb.size(), static_cast<uint8_t>(i));
      const std::string stem = std::to_string(i);
      write_image(folder + "/" + stem + ".png", image);
      write_labels(folder + "/" + stem + "_label.png", LabelMap(6, 5, static_cast<uint8_t>(i % 3)));
      list << stem << ".png " << stem << "_label.png\n";
    }
    options.data_root = folder;
    options.list = folder + "/list.txt";
    options.classes = 3;
  }
  std::string label_path(int i) const { return folder + "/" + std::to_string(i) + "_label.png"; }
};

bool starts_with(const std::string& text, const std::string& start) { return text.rfind(start, 0) == 0; }

}  // namespace

TEST_CASE("dataset: labels of training are weakened after the label table, and from the cache alike") {
  TinySet set(1);
  LabelMap raw(6, 5, 2);
  for (const auto& [x, y] : {std::array{1, 1}, {2, 2}}) raw.index[static_cast<size_t>(y * 6 + x)] = 0;
  write_labels(set.label_path(0), raw);
  set.options.label_table = mapping_table({{0, 1}, {2, 0}}, 255);
  set.options.weak.kind = WeakLabels::Kind::box;
  set.options.weak.is_thing[1] = true;
  for (const int64_t cache : {int64_t{1} << 20, int64_t{0}}) {
    set.options.cache_bytes = cache;
    const Dataset dataset(set.options);
    for (int times = 0; times < 2; ++times) {
      const LabelMap labels = dataset.load(0)->labels;
      CHECK(std::count(labels.index.begin(), labels.index.end(), 1) == 4);
      CHECK(labels.at(2, 1) == 1);
      CHECK(labels.at(3, 1) == 0);
      CHECK(dataset.training_labels(0).index == labels.index);
    }
    CHECK(dataset.raw_labels(0).index == raw.index);
  }
}

TEST_CASE("dataset: pairs by index") {
  const TinySet set(4);
  const Dataset dataset(set.options);
  REQUIRE(dataset.size() == 4);
  for (int i = 3; i >= 0; --i) {
    const auto pair = dataset.load(i);
    CHECK(pair->image.width == 6);
    CHECK(pair->image.rgb[7] == i);
    CHECK(pair->labels.index[7] == i % 3);
  }
  CHECK(dataset.entry(2).line == 3);
}

TEST_CASE("dataset: the cache keeps what fits its budget") {
  const TinySet set(3);
  DatasetOptions options = set.options;
  options.cache_bytes = 2 * 6 * 5 * 4;  // Two pairs of the three.
  const Dataset dataset(options);
  const auto first = dataset.load(0);
  CHECK(dataset.load(0) == first);
  CHECK(dataset.load(1) == dataset.load(1));
  CHECK(dataset.load(2) != dataset.load(2));
  CHECK(dataset.load(0) == first);
  options.cache_bytes = 0;
  const Dataset uncached(options);
  CHECK(uncached.load(0) != uncached.load(0));
}

TEST_CASE("dataset: labels out of range are refused with file, place and value") {
  const TinySet set(2);
  LabelMap labels(6, 5, 255);
  labels.at(4, 2) = 3;
  labels.at(5, 4) = 9;
  write_labels(set.label_path(1), labels);
  const Dataset dataset(set.options);
  CHECK_NOTHROW(dataset.load(0));
  const std::string fault = message_of<Refusal>([&] { dataset.load(1); });
  CHECK(starts_with(fault, set.label_path(1) + ": label 3 at x 4, y 2; expected 0 to 2, or 255"));

  DatasetOptions other = set.options;
  other.classes = 10;
  CHECK_NOTHROW(Dataset(other).load(1));
  other.ignore_label = 9;
  CHECK(
      starts_with(message_of<Refusal>([&] { Dataset(other).load(1); }), set.label_path(1) + ": label 255 at x 0, y 0"));
}

TEST_CASE("dataset: label tables") {
  const LabelTable ade = subtract_one_table(255);
  CHECK(ade[0] == 255);
  CHECK(ade[1] == 0);
  CHECK(ade[150] == 149);
  CHECK(ade[255] == 255);
  const LabelTable cityscapes = mapping_table({{7, 0}, {33, 18}}, 255);
  CHECK(cityscapes[7] == 0);
  CHECK(cityscapes[33] == 18);
  CHECK(cityscapes[0] == 255);
  CHECK_THROWS_AS(mapping_table({{256, 0}}, 255), Refusal);
  CHECK_THROWS_AS(mapping_table({{0, -2}}, 255), Refusal);
  CHECK_THROWS_AS(subtract_one_table(300), Refusal);

  const TinySet set(1);
  LabelMap labels(6, 5, 0);
  labels.at(1, 0) = 3;
  write_labels(set.label_path(0), labels);
  DatasetOptions options = set.options;
  options.label_table = ade;
  const auto pair = Dataset(options).load(0);
  CHECK(pair->labels.at(0, 0) == 255);
  CHECK(pair->labels.at(1, 0) == 2);
  labels.at(2, 1) = 200;
  write_labels(set.label_path(0), labels);
  CHECK(starts_with(message_of<Refusal>([&] { Dataset(options).load(0); }),
                    set.label_path(0) + ": label 200 (class 199 by the label mapping) at x 2, y 1"));
}

TEST_CASE("dataset: sizes that differ, missing files and bad settings are refused") {
  const TinySet set(2);
  write_labels(set.label_path(1), LabelMap(5, 6));
  const Dataset dataset(set.options);
  const std::string fault = message_of<Refusal>([&] { dataset.load(1); });
  CHECK(starts_with(fault, set.label_path(1) + ": 5 x 6, but its image " + set.folder + "/1.png is 6 x 5"));
  write_labels(set.label_path(1), LabelMap(6, 4));  // one side alone
  CHECK(starts_with(message_of<Refusal>([&] { dataset.load(1); }), set.label_path(1) + ": 6 x 4, but its image"));
  fs::remove(set.label_path(0));
  CHECK(starts_with(message_of<Refusal>([&] { Dataset bad(set.options); }), set.options.list + ":1: label "));
  DatasetOptions options = set.options;
  options.classes = 0;
  CHECK_THROWS_AS(Dataset{options}, Refusal);
  options = set.options;
  options.ignore_label = -1;
  CHECK_THROWS_AS(Dataset{options}, Refusal);
}

TEST_CASE("dataset: images and labels are both turned as EXIF says") {
  const TinySet set(1);
  const PictureVariants variants;
  // 9 x 6 pixels in the file, to be seen as 6 x 9.
  variants.write("png_exif_ii_6", set.folder + "/0.png");
  variants.write("png_palette_exif_6", set.label_path(0));
  DatasetOptions options = set.options;
  options.classes = 4;
  const auto pair = Dataset(options).load(0);
  CHECK(pair->image.width == 6);
  CHECK(pair->image.height == 9);
  CHECK(pair->image.orientation == 6);
  CHECK(pair->labels.width == 6);
  write_labels(set.label_path(0), LabelMap(9, 6));
  const std::string fault = message_of<Refusal>([&] { Dataset(set.options).load(0); });
  CHECK(contains(fault, "9 x 6, but its image"));
  CHECK(contains(fault, "turned by its EXIF orientation 6"));
}

TEST_CASE("dataset: CamVid reads whole" * doctest::test_suite("needs CamVid")) {
  DatasetOptions options;
  options.data_root = GIZA_SOURCE_DIR "/../shared/data/camvid";
  options.list = options.data_root + "/val.txt";
  options.classes = 11;
  options.ignore_label = 11;
  if (!fs::exists(options.list)) {
    skip_test("no CamVid beside the source folder");
    return;
  }
  const Dataset dataset(options);
  CHECK(dataset.size() == 101);
  const auto pair = dataset.load(0);
  CHECK(pair->image.width == 480);
  CHECK(pair->image.height == 360);
}

}  // namespace giza::train
