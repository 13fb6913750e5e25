// Comparison tables and picture sheets.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tensor/base/check.h"
#include "tests/support/temp_folder.h"
#include "train/draw/picture_sheet.h"
#include "train/eval/comparison.h"

namespace giza::train {
namespace {

Image plain(int width, int height, Color color) {
  Image image(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) std::copy(color.begin(), color.end(), image.at(x, y));
  }
  return image;
}

int64_t count_pixels(const Image& image, Color color) {
  int64_t count = 0;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) count += std::equal(color.begin(), color.end(), image.at(x, y)) ? 1 : 0;
  }
  return count;
}

/// Two pictures of 4 x 2 pixels whose left half is class 0 and right half class 1, and two runs: one that says 0
/// everywhere, and one that is right.
struct TwoRuns {
  TempFolder folder;
  Dataset dataset = write();

  Dataset write() const {
    std::ofstream list(folder.file("list.txt"));
    for (const std::string name : {"a", "b"}) {
      write_image(folder.file(name + ".png"), plain(4, 2, {90, 90, 90}));
      LabelMap truth(4, 2, 0);
      for (int y = 0; y < 2; ++y) truth.at(2, y) = truth.at(3, y) = 1;
      for (const std::string run : {"zeros", "right"}) {
        std::filesystem::create_directories(folder.file(run + "/gray"));
        write_labels(folder.file(run + "/gray/" + name + ".png"), run == "right" ? truth : LabelMap(4, 2, 0));
      }
      write_labels(folder.file(name + "_label.png"), truth);
      list << name << ".png " << name << "_label.png\n";
    }
    list.close();
    DatasetOptions options;
    options.data_root = folder.path();
    options.list = folder.file("list.txt");
    options.classes = 2;
    return Dataset(options);
  }

  Comparison compare() const {
    EvaluateOptions options;
    options.names = {"cat", "dog"};
    options.progress = false;
    return compare_runs({{"first", folder.file("zeros")}, {"second", folder.file("right")}}, dataset, options);
  }
};

TEST_CASE("picture sheet: every panel is there, enlarged, and every legend colour") {
  const Color red{255, 0, 0}, green{0, 255, 0}, blue{0, 0, 255};
  const Image sheet = picture_sheet(
      {"left", "right"}, {{plain(30, 10, red), plain(30, 10, green)}, {plain(5, 5, red), plain(30, 10, red)}},
      {{"blue", blue}}, 3);
  CHECK(count_pixels(sheet, red) == 9 * (300 + 25 + 300));
  CHECK(count_pixels(sheet, green) == 9 * 300);
  CHECK(count_pixels(sheet, blue) > 100);
  CHECK(count_pixels(sheet, {}) > 50);  // text
}

TEST_CASE("picture sheet: rows that do not fit the captions are refused") {
  CHECK_THROWS_AS(picture_sheet({"one"}, {{plain(2, 2, {}), plain(2, 2, {})}}, {}, 1), ShapeError);
  CHECK_THROWS_AS(picture_sheet({"one"}, {}, {}, 1), ShapeError);
  CHECK_THROWS_AS(picture_sheet({"one"}, {{plain(2, 2, {})}}, {}, 1, {"a", "b"}), ShapeError);
  CHECK_THROWS_AS(picture_sheet({"one"}, {{plain(2, 2, {})}}, {}, 0), ShapeError);
}

TEST_CASE("text stays inside the picture, and is as wide as it says") {
  Image image = plain(40, 20, {255, 255, 255});
  draw_text(image, -5, -5, 2, "giza");
  draw_text(image, 35, 15, 2, "giza");
  // Characters that the font has not, and bytes that are none.
  for (const char* text : {"Straße", "道路", "\x7f\x01\t", "\xff\xfe"}) draw_text(image, 0, 0, 2, text);
  CHECK(text_width(2, "Größe") == text_width(2, "Gr??e"));
  CHECK(text_width(2, "道") == text_width(2, "?"));
  Image wide = plain(400, 40, {255, 255, 255});
  draw_text(wide, 0, 0, 2, "skyscraper");
  int last = 0;
  for (int y = 0; y < wide.height; ++y) {
    for (int x = 0; x < wide.width; ++x) last = *wide.at(x, y) == 0 ? std::max(last, x) : last;
  }
  CHECK(last < text_width(2, "skyscraper"));
  CHECK(last > text_width(2, "skyscraper") - 12);
}

TEST_CASE("comparison: exact figures from saved label images") {
  const TwoRuns runs;
  const Comparison comparison = runs.compare();
  REQUIRE(comparison.evaluations.size() == 2);
  CHECK(group_miou(comparison.evaluations[0], {0}) == doctest::Approx(50));
  CHECK(group_miou(comparison.evaluations[0], {1}) == doctest::Approx(0));
  CHECK(group_miou(comparison.evaluations[1], {0, 1}) == doctest::Approx(100));
  const std::string table = comparison_table(comparison, {{"pets", {1}}});
  CAPTURE(table);
  CHECK(table.find("dog                                  0.0       100.0      +100.0") != std::string::npos);
  CHECK(table.find("mean of pets (1)                     0.0       100.0      +100.0") != std::string::npos);
  CHECK(table.find("mean of the others (1)              50.0       100.0       +50.0") != std::string::npos);
  CHECK(table.find("mIoU (2)                            25.0       100.0       +75.0") != std::string::npos);
  CHECK(table.find("pixel accuracy %                    50.0       100.0       +50.0") != std::string::npos);
}

TEST_CASE("comparison: the sheet of groups shows where the last run gains most on the first") {
  const TwoRuns runs;
  // In "a" the first run has a quarter of the dog's pixels right, in "b" none.
  LabelMap partly(4, 2, 0);
  partly.at(2, 0) = 1;
  write_labels(runs.folder.file("zeros/gray/a.png"), partly);
  SheetOptions options;
  options.weight = 1;
  options.names = {"cat", "dog", "cow"};
  options.colors = {{200, 0, 0}, {0, 200, 0}, {0, 0, 200}};
  const std::string folder = runs.folder.file("sheets");
  const std::string path = write_group_sheet(runs.compare(), {{"pets", {1}}}, runs.dataset, folder, options);
  CHECK(path == folder + "/groups.png");
  const Image sheet = read_image(path);
  // Four pixels in the truth and in the last run, enlarged by 4; the legend's square. In "a" there would be one more.
  const Image legend = picture_sheet({"x"}, {{plain(1, 1, {})}}, {{"dog", {0, 200, 0}}}, 1);
  CHECK(count_pixels(sheet, {0, 200, 0}) == 16 * 8 + count_pixels(legend, {0, 200, 0}));
  // A class that no picture shows.
  CHECK(write_group_sheet(runs.compare(), {{"cattle", {2}}}, runs.dataset, folder, options).empty());
}

TEST_CASE("comparison: sheets of the pictures asked for") {
  const TwoRuns runs;
  SheetOptions options;
  options.pictures = 5;
  options.rows = 1;
  options.weight = 1;
  options.names = {"cat", "dog"};
  options.colors = {{200, 0, 0}, {0, 200, 0}};
  const std::vector<std::string> sheets =
      write_comparison_sheets(runs.compare(), runs.dataset, runs.folder.file("sheets"), options);
  REQUIRE(sheets.size() == 2);
  const Image sheet = read_image(sheets[1]);
  const Image legend = picture_sheet({"x"}, {{plain(1, 1, {})}}, {{"cat", {200, 0, 0}}}, 1);
  const int64_t swatch = count_pixels(legend, {200, 0, 0});
  // Truth and the second run have 4 pixels of each class, the first run 8 of class 0; all enlarged four times.
  CHECK(count_pixels(sheet, {200, 0, 0}) == swatch + 16 * (4 + 8 + 4));
  CHECK(count_pixels(sheet, {0, 200, 0}) == swatch + 16 * (4 + 4));
}

TEST_CASE("comparison: a picture that a run lacks is refused by name") {
  const TwoRuns runs;
  std::filesystem::remove(runs.folder.file("right/gray/b.png"));
  CHECK_THROWS_AS(runs.compare(), Refusal);
}

TEST_CASE("class groups are given by names") {
  const std::vector<std::string> names{"sky", "boat", "car"};
  const ClassGroup group = parse_class_group("context=boat,car", names);
  CHECK(group.name == "context");
  CHECK(group.classes == std::vector<int>{1, 2});
  for (const char* bad : {"", "context", "=boat", "context=", "context=ship", "context=boat,"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(parse_class_group(bad, names), Refusal);
  }
}

}  // namespace
}  // namespace giza::train
