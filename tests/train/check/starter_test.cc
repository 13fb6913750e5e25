// A first configuration for somebody's own pictures: it is read, checked and trained by as it stands.
#include "train/check/starter.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "tensor/base/check.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"
#include "train/check/data_check.h"
#include "train/config/config.h"
#include "train/data/image/image.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;

struct Pictures {
  TempFolder folder;

  void add(const std::string& name, const std::string& mask, int classes = 3) const {
    Image image(70, 50);
    for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<uint8_t>(i * 7 + name.size());
    LabelMap labels(70, 50);
    for (size_t i = 0; i < labels.index.size(); ++i) {
      labels.index[i] = static_cast<uint8_t>(i % 11 == 0 ? 255 : i % static_cast<size_t>(classes));
    }
    for (const char* sub : {"pictures/far away", "masks/far away"}) fs::create_directories(folder.file(sub));
    write_image(folder.file("pictures/" + name), image);
    if (!mask.empty()) write_labels(folder.file("masks/" + mask), labels);
  }
  StarterOptions options() const {
    return {
        .folder = folder.file("my"), .images = folder.file("pictures"), .labels = folder.file("masks"), .names = ""};
  }
};

TEST_CASE("starter: pictures and masks become a configuration that fits them") {
  const Pictures set;
  for (const char* name : {"a", "b", "c", "d"}) set.add(std::string(name) + ".png", std::string(name) + ".png");
  set.add("far away/e.png", "far away/e_label.png");
  set.add("alone.png", "");
  const Starter starter = write_starter(set.options());
  CHECK(starter.train == 4);
  CHECK(starter.val == 1);
  CHECK(starter.classes == 3);
  CHECK(starter.width == 70);
  CHECK(starter.height == 50);
  CHECK(starter.without_mask == std::vector<std::string>{set.folder.file("pictures/alone.png")});
  const Config config = load_config(starter.config);
  CHECK(config.data.classes == 3);
  CHECK(config.train.train_h == 49);
  CHECK(config.train.train_w == 65);
  const DataReport report = check_data(config, {.progress = false});
  CAPTURE(report_text(report));
  CHECK(report.ok());
}

TEST_CASE("starter: few pictures make a batch of their own size, and one makes none") {
  const Pictures set;
  set.add("a.png", "a.png");
  const std::string one = message_of<Refusal>([&] { write_starter(set.options()); });
  CHECK(contains(one, "pictures: 1 picture with a mask to train on, expected 2 or more"));
  CHECK_FALSE(fs::exists(set.options().folder));
  set.add("b.png", "b.png");
  CHECK(load_config(write_starter(set.options()).config).train.batch_size == 2);
}

TEST_CASE("starter: names decide the number of classes") {
  const Pictures set;
  set.add("a.png", "a.png");
  set.add("b.png", "b.png");
  std::ofstream(set.folder.file("names.txt")) << "road\nsky\ntree\ncar\n";
  StarterOptions options = set.options();
  options.names = set.folder.file("names.txt");
  CHECK(write_starter(options).classes == 4);
  CHECK(contains(message_of<Refusal>([&] { write_starter(options); }), "my: is there already"));
  std::ofstream(set.folder.file("names.txt")) << "road\nsky\n";
  options.folder = set.folder.file("other");
  CHECK(contains(message_of<Refusal>([&] { write_starter(options); }), "has 2 names, but the masks hold class 2"));
  CHECK_FALSE(fs::exists(options.folder));
}

TEST_CASE("starter: what cannot be started from is refused, and nothing is written") {
  const Pictures set;
  set.add("a.png", "");
  CHECK(contains(message_of<Refusal>([&] { write_starter(set.options()); }), "none of the pictures"));
  set.add("a.png", "a.png", 1);
  CHECK(contains(message_of<Refusal>([&] { write_starter(set.options()); }), "no class but 0"));
  StarterOptions nowhere = set.options();
  nowhere.images = set.folder.file("none");
  CHECK(contains(message_of<Refusal>([&] { write_starter(nowhere); }), "none: the folder cannot be read"));
  fs::create_directories(set.folder.file("pictures/with\ttab"));
  set.add("with\ttab/b.png", "");
  fs::create_directories(set.folder.file("masks/with\ttab"));
  set.add("c.png", "c.png");
  fs::copy_file(set.folder.file("masks/c.png"), set.folder.file("masks/with\ttab/b.png"));
  CHECK(contains(message_of<Refusal>([&] { write_starter(set.options()); }), "a list cannot hold paths with tabs"));
  CHECK_FALSE(fs::exists(set.options().folder));
}

}  // namespace
}  // namespace giza::train
