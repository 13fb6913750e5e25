// The data sets known by name: their tables, folder layouts, and labels in colours.
#include "train/data/known_datasets.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <set>

#include "tensor/base/check.h"
#include "tests/support/refusal.h"
#include "tests/support/skip.h"
#include "tests/support/temp_folder.h"
#include "train/config/parts.h"
#include "train/data/dataset.h"
#include "train/data/image/png.h"

namespace giza::train {

namespace {

namespace fs = std::filesystem;

void write_picture(const std::string& path, int width = 6, int height = 4) {
  fs::create_directories(fs::path(path).parent_path());
  write_image(path, Image(width, height));
}

void write_label(const std::string& path, uint8_t value, int width = 6, int height = 4) {
  fs::create_directories(fs::path(path).parent_path());
  write_labels(path, LabelMap(width, height, value));
}

}  // namespace

TEST_CASE("tables: the numbers, and some entries from the sources") {
  REQUIRE(known_datasets().size() == 4);
  for (const KnownDataset& known : known_datasets()) {
    CAPTURE(known.name);
    CHECK(known.names.size() == known.colors.size());
    CHECK(std::set<std::string_view>(known.names.begin(), known.names.end()).size() == known.names.size());
    CHECK(find_known_dataset(known.name) == &known);
  }
  CHECK(find_known_dataset("list") == nullptr);

  const KnownDataset& ade = *find_known_dataset("ade20k");
  CHECK(ade.classes() == 150);
  CHECK(ade.names[0] == "wall");
  CHECK(ade.names[12] == "person");
  CHECK(ade.names[80] == "bus");
  CHECK(ade.names[149] == "flag");
  CHECK(ade.colors[0] == Color{120, 120, 120});
  CHECK(ade.colors[149] == Color{92, 0, 255});
  CHECK(ade.reduce_zero_label);

  const KnownDataset& voc = *find_known_dataset("voc2012");
  CHECK(voc.classes() == 21);
  CHECK(voc.names[15] == "person");
  for (size_t c = 0; c < voc.colors.size(); ++c) CHECK(voc.colors[c] == voc_color(c));
  CHECK(voc_color(255) == Color{224, 224, 192});
  CHECK(voc_color(20) == Color{0, 64, 128});

  const KnownDataset& city = *find_known_dataset("cityscapes");
  CHECK(city.classes() == 19);
  REQUIRE(city.label_map.size() == 19);
  for (size_t c = 0; c < 19; ++c) CHECK(city.label_map[c].second == static_cast<int>(c));
  CHECK(city.label_map[0].first == 7);
  CHECK(city.label_map[15].first == 28);
  CHECK(city.label_map[16].first == 31);
  CHECK(city.label_map[18].first == 33);
  CHECK(city.names[11] == "person");
  CHECK(city.colors[13] == Color{0, 0, 142});

  const KnownDataset& camvid = *find_known_dataset("camvid");
  CHECK(camvid.classes() == 11);
  CHECK(camvid.ignore_label == 11);
}

TEST_CASE("camvid's table is that of its files" * doctest::test_suite("needs CamVid")) {
  const std::string folder = std::string(GIZA_SOURCE_DIR) + "/../shared/data/camvid";
  if (!fs::exists(folder)) {
    skip_test("no CamVid beside the source folder");
    return;
  }
  const KnownDataset& camvid = *find_known_dataset("camvid");
  CHECK(read_names(folder + "/names.txt") == std::vector<std::string>(camvid.names.begin(), camvid.names.end()));
  CHECK(read_colors(folder + "/colors.txt") == std::vector<Color>(camvid.colors.begin(), camvid.colors.end()));
  Config config = parse_config("DATA:\n  dataset: camvid\n  data_root: " + folder + "\n", "f");
  const Dataset train(dataset_options(config, Split::train)), val(dataset_options(config, Split::val));
  CHECK(train.size() == 367);
  CHECK(val.size() == 101);
  CHECK_NOTHROW(train.load(0));
}

TEST_CASE("semseg's names and colours files are built in, wherever they are said to be") {
  CHECK(known_by_file_name("data/ade20k/ade20k_names.txt") == find_known_dataset("ade20k"));
  CHECK(known_by_file_name("dataset/voc2012/voc2012_colors.txt") == find_known_dataset("voc2012"));
  CHECK(known_by_file_name("cityscapes_names.txt") == find_known_dataset("cityscapes"));
  CHECK(known_by_file_name("names.txt") == nullptr);
  CHECK(known_by_file_name("ade20k_names.txt.old") == nullptr);

  const TempFolder folder;
  Config config = parse_config(
      "TEST:\n  names_path: nowhere/ade20k_names.txt\n  colors_path: nowhere/ade20k_colors.txt\n", "f.yaml");
  CHECK(class_names(config).size() == 150);
  CHECK(class_colors(config)[149] == Color{92, 0, 255});
  REQUIRE(built_in_notes(config).size() == 2);
  CHECK(built_in_notes(config)[0] == "nowhere/ade20k_names.txt: not found; the built-in names of ADE20K are used");
  // Of another number of classes they would be wrong, and a file that is there is read.
  config.data.classes = 149;
  CHECK_THROWS_AS(class_names(config), Refusal);
  config.data.classes = 2;
  config.test.names_path = folder.file("ade20k_names.txt");
  write_bytes(config.test.names_path, "one\ntwo\n");
  CHECK(class_names(config) == std::vector<std::string>{"one", "two"});
  CHECK(built_in_notes(parse_config("DATA:\n  dataset: ade20k\n", "f")).empty());
  CHECK(class_names(parse_config("DATA:\n  dataset: camvid\n", "f"))[0] == "Sky");
  CHECK(class_names(parse_config("DATA:\n  dataset: camvid\n  classes: 3\n", "f")).empty());
}

TEST_CASE("ADE20K's folders: 0 is ignored, the rest is one less") {
  const TempFolder folder;
  const std::string root = folder.file("ADEChallengeData2016");
  for (const char* name : {"b", "a"}) {
    write_picture(root + "/images/training/" + name + ".jpg");  // a PNG inside: content decides
    write_label(root + "/annotations/training/" + name + ".png", 150);
  }
  write_picture(root + "/images/validation/v.jpg");
  write_label(root + "/annotations/validation/v.png", 0);
  const Config config = parse_config("", "f", {"dataset", "ade20k", "data_root", folder.path()});
  const Dataset train(dataset_options(config, Split::train));
  REQUIRE(train.size() == 2);
  CHECK(train.entry(0).image == root + "/images/training/a.jpg");
  CHECK(train.entry(0).label == root + "/annotations/training/a.png");
  CHECK(train.load(0)->labels.at(0, 0) == 149);
  CHECK(Dataset(dataset_options(config, Split::val)).load(0)->labels.at(0, 0) == 255);
  CHECK(message_of<Refusal>([&] {
          list_pictures(dataset_options(
              parse_config("", "f", {"dataset", "ade20k", "data_root", folder.path(), "split", "test"}), Split::test));
        }).find("images/testing: no such folder") != std::string::npos);
  CHECK(train.note().empty());
  write_bytes(root + "/images/training/c.webp", "x");
  fs::create_directory(root + "/images/training/more");
  CHECK(Dataset(dataset_options(config, Split::train)).note() ==
        "c.webp and more are passed over: no JPEG or PNG by their names");
  // A label that is missing is found before training.
  fs::remove(root + "/annotations/training/b.png");
  CHECK(
      contains(message_of<Refusal>([&] { Dataset{dataset_options(config, Split::train)}; }), "b.png' cannot be found"));
  CHECK(contains(
      message_of<Refusal>([&] {
        Dataset{dataset_options(parse_config("", "f", {"dataset", "ade20k", "data_root", "/nowhere"}), Split::train)};
      }),
      "/nowhere: has no folder images"));
  CHECK(contains(message_of<Refusal>([&] {
                   dataset_options(parse_config("", "f", {"dataset", "ade20k"}), Split::train);
                 }),
                 "DATA.data_root has no value"));
}

TEST_CASE("VOC's folders: palette indices, the boundary, the augmented list") {
  const TempFolder folder;
  const std::string root = folder.file("VOCdevkit/VOC2012");
  LabelMap labels(6, 4, 15);
  labels.at(0, 0) = 255;
  std::vector<Color> palette;
  for (size_t i = 0; i < 256; ++i) palette.push_back(voc_color(i));
  fs::create_directories(root + "/SegmentationClass");
  fs::create_directories(root + "/ImageSets/Segmentation");
  for (const char* id : {"2007_000032", "2007_000039"}) {
    write_picture(root + "/JPEGImages/" + id + ".jpg");
    write_colored_labels(root + "/SegmentationClass/" + id + ".png", labels, palette);
  }
  const std::string lists = root + "/ImageSets/Segmentation/";
  write_bytes(lists + "train.txt", "2007_000039\n2007_000032\n");
  write_bytes(lists + "val.txt", "2007_000032\n");
  write_bytes(lists + "test.txt", "2007_000032\n");
  const Config config = parse_config("", "f", {"dataset", "voc2012", "data_root", folder.path()});
  {
    const Dataset train(dataset_options(config, Split::train));
    REQUIRE(train.size() == 2);
    CHECK(train.entry(0).image == root + "/JPEGImages/2007_000039.jpg");
    const auto pair = train.load(0);
    CHECK(pair->labels.at(0, 0) == 255);
    CHECK(pair->labels.at(1, 0) == 15);
  }
  const Config test = parse_config("", "f", {"dataset", "voc2012", "data_root", root, "split", "test"});
  const auto unlabelled = list_pictures(dataset_options(test, Split::test), LabelColumn::optional);
  REQUIRE(unlabelled.size() == 1);
  CHECK(unlabelled[0].label.empty());

  write_label(root + "/SegmentationClassAug/2007_000032.png", 3);
  write_bytes(lists + "train_aug.txt", "/JPEGImages/2007_000032.jpg /SegmentationClassAug/2007_000032.png\n");
  std::string note;
  const auto augmented = list_pictures(dataset_options(config, Split::train), LabelColumn::required, &note);
  REQUIRE(augmented.size() == 1);
  CHECK(augmented[0].label == root + "/SegmentationClassAug/2007_000032.png");
  CHECK(contains(note, "augmented"));
  write_bytes(lists + "train_aug.txt", "2007_000032\n");
  CHECK(list_pictures(dataset_options(config, Split::train))[0].label == augmented[0].label);
}

TEST_CASE("Cityscapes' folders: labelIds become trainIds, labelTrainIds stay") {
  const TempFolder folder;
  const std::string images = folder.file("leftImg8bit/val/frankfurt/frankfurt_000000_000294_leftImg8bit.png");
  const std::string stem = folder.file("gtFine/val/frankfurt/frankfurt_000000_000294_gtFine_");
  write_picture(images);
  write_label(stem + "labelTrainIds.png", 13);
  write_picture(folder.file("leftImg8bit/test/berlin/berlin_000000_000019_leftImg8bit.png"));
  const Config config = parse_config("", "f", {"dataset", "cityscapes", "data_root", folder.path()});
  {
    std::string note;
    const auto options = dataset_options(config, Split::val);
    CHECK(list_pictures(options, LabelColumn::required, &note)[0].label == stem + "labelTrainIds.png");
    CHECK(contains(note, "labelTrainIds are read"));
    CHECK(Dataset(options).load(0)->labels.at(0, 0) == 13);
  }
  write_label(stem + "labelIds.png", 26);
  const Dataset val(dataset_options(config, Split::val));
  REQUIRE(val.size() == 1);
  CHECK(val.entry(0).label == stem + "labelIds.png");
  CHECK(val.load(0)->labels.at(0, 0) == 13);
  write_label(stem + "labelIds.png", 4);
  CHECK(Dataset(dataset_options(config, Split::val)).load(0)->labels.at(0, 0) == 255);
  const Config test = parse_config("", "f", {"dataset", "cityscapes", "data_root", folder.path(), "split", "test"});
  CHECK(list_pictures(dataset_options(test, Split::test), LabelColumn::optional)[0].label.empty());
  // A list of semseg's, which names trainIds files, goes with the data set's name too.
  write_bytes(folder.file("list.txt"),
              "leftImg8bit/val/frankfurt/frankfurt_000000_000294_leftImg8bit.png "
              "gtFine/val/frankfurt/frankfurt_000000_000294_gtFine_labelTrainIds.png\n");
  Config listed = config;
  listed.data.val_list = folder.file("list.txt");
  CHECK(Dataset(dataset_options(listed, Split::val)).load(0)->labels.at(0, 0) == 13);
}

TEST_CASE("labels in colours") {
  const LabelColors camvid("camvid", 11), grey("grey", 255);
  CHECK(camvid.value({64, 0, 128}) == 8);
  CHECK(camvid.value({0, 0, 0}) == 11);
  CHECK(camvid.value({1, 2, 3}) == -1);
  CHECK(grey.value({7, 7, 7}) == 7);
  CHECK(grey.value({7, 7, 8}) == -1);
  CHECK(LabelColors("voc2012", 255).value({224, 224, 192}) == 255);
  CHECK(LabelColors("voc2012", 255).value({0, 0, 0}) == 0);
  // ADE20K's road and skyscraper have one colour.
  CHECK(contains(message_of<Refusal>([] { LabelColors("ade20k", 255); }), "values 6 and 48 have one colour"));
  // 16 bits would lose their lower half, and fewer than 8 would be spread: the golden pictures have both.
  const auto check_depth = [](const char* name, const LabelColors& colors) {
    check_color_depth(GIZA_SOURCE_DIR "/tests/golden/pictures/" + std::string(name), colors);
  };
  for (const char* name : {"grey16.png", "rgb16.png"}) {
    CHECK(contains(message_of<Refusal>([&] { check_depth(name, camvid); }), "has 16 bits for each value"));
  }
  CHECK(contains(message_of<Refusal>([&] { check_depth("grey1.png", grey); }), "has 1 bits for each value"));
  check_depth("grey1.png", camvid);  // black and white are colours
  check_depth("grey8.png", grey);
  check_depth("full.jpg", grey);

  const TempFolder folder;
  write_bytes(folder.file("colors.txt"), "255 0 0\n0 255 0\n");
  Image image(3, 2);
  image.at(2, 1)[0] = 255;
  image.at(1, 0)[1] = 255;
  write_image(folder.file("i.png"), image);
  write_image(folder.file("l.png"), image);
  write_bytes(folder.file("list.txt"), "i.png l.png\n");
  DatasetOptions options;
  options.data_root = folder.path();
  options.list = folder.file("list.txt");
  options.classes = 2;
  CHECK(contains(message_of<Refusal>([&] { Dataset(options).load(0); }), "name them by DATA.label_colors"));
  options.label_colors = folder.file("colors.txt");
  const auto pair = Dataset(options).load(0);
  CHECK(pair->labels.at(2, 1) == 0);
  CHECK(pair->labels.at(1, 0) == 1);
  CHECK(pair->labels.at(0, 0) == 255);
  image.at(0, 1)[2] = 9;
  write_image(folder.file("l.png"), image);
  CHECK(contains(message_of<Refusal>([&] { Dataset(options).load(0); }), "colour (0, 0, 9) at x 0, y 1 is none of"));
}

TEST_CASE("two results of one name are refused before work starts") {
  std::vector<ListEntry> entries = {{"a/x.jpg", "", 1}, {"a/y.jpg", "", 2}, {"b/x.png", "", 3}};
  CHECK(message_of<Refusal>([&] { check_output_names("list.txt", entries); }) ==
        "list.txt:3: 'b/x.png' would overwrite the results of 'a/x.jpg' (line 1), both being called x.png; rename one, "
        "or split the list");
  CHECK_NOTHROW(check_output_names("list.txt", entries, 1));
  CHECK_NOTHROW(check_output_names("list.txt", entries, 0, 2));
}

TEST_CASE("colour masks are palette PNGs whose indices are the classes") {
  const TempFolder folder;
  LabelMap labels(5, 3, 2);
  labels.at(4, 2) = 7;
  write_colored_labels(folder.file("c.png"), labels, {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}});
  CHECK(read_labels(folder.file("c.png")).index == labels.index);
  const Image seen = read_image(folder.file("c.png"));
  CHECK(int{seen.at(0, 0)[0]} == 7);
  CHECK(int{seen.at(4, 2)[0]} == 0);
  const auto bytes = read_picture_file(folder.file("c.png"));
  CHECK(png_kind("c.png", bytes).type == PngKind::Type::palette);
  // Colours that no index reaches, as of a file that lists 300, are left out.
  write_colored_labels(folder.file("many.png"), labels, std::vector<Color>(300, Color{9, 9, 9}));
  CHECK(read_labels(folder.file("many.png")).index == labels.index);
}

}  // namespace giza::train
