// Pictures of one thing each: the same whatever the context, of the class that they are said to be, apart from the
// scenes.
#include "train/data/scenes/things.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>
#include <vector>

#include "tensor/base/check.h"
#include "tests/support/refusal.h"
#include "tests/support/scopes.h"
#include "tests/support/temp_folder.h"
#include "train/data/class_folders.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;
using Ground = SceneContext::Ground;
using Skyline = SceneContext::Skyline;

SceneOptions options_of(int width = 192, int height = 96) {
  SceneOptions options;
  options.width = width;
  options.height = height;
  options.seed = 4;
  return options;
}

TEST_CASE("things: not a byte depends on the context") {
  for (const auto& [width, height] : {std::pair(192, 96), {64, 48}, {150, 200}}) {
    for (uint32_t index = 0; index < 12; ++index) {
      std::set<std::vector<uint8_t>> pictures;
      for (const Ground ground : {Ground::water, Ground::road}) {
        for (const Skyline skyline : {Skyline::town, Skyline::city}) {
          SceneOptions options = options_of(width, height);
          options.ground = ground;
          options.skyline = skyline;
          const Image image = make_thing(options, 0, index);
          CHECK(image.width == thing_side(options));
          CHECK(image.height == image.width);
          pictures.insert(image.rgb);
        }
      }
      CHECK(pictures.size() == 1);
    }
  }
}

TEST_CASE("things: pictures are balanced, differ from one another and between splits, and are no part of a scene") {
  const SceneOptions options = options_of(96, 48);
  std::set<std::vector<uint8_t>> pictures;
  for (uint32_t split = 0; split < 2; ++split) {
    for (uint32_t index = 0; index < 18; ++index) pictures.insert(make_thing(options, split, index).rgb);
  }
  CHECK(pictures.size() == 36);
  CHECK(std::is_sorted(thing_class_names().begin(), thing_class_names().end()));
  CHECK(thing_class_names().size() == kThingClasses);
  CHECK_THROWS_AS(make_thing(options_of(10, 10), 0, 0), Refusal);
}

TEST_CASE("things: a folder per class; an older set is replaced, other people's files are not") {
  const QuietScope quiet;
  const TempFolder folder;
  const std::string dir = folder.file("things");
  const SceneOptions options = options_of(96, 48);
  write_things(dir, 14, 6, options);
  CHECK(class_folders(dir) == thing_class_names());
  const Layout train = read_class_folders(dir, Split::train, kThingClasses, {});
  CHECK(train.entries.size() == 14);
  CHECK(std::count_if(train.entries.begin(), train.entries.end(),
                      [](const ListEntry& entry) { return entry.picture_class == kThingHull; }) == 3);
  CHECK(read_image(dir + "/train/hull/scene_00007.png").rgb == make_thing(options, 0, 7).rgb);
  write_things(dir, 6, 0, options);
  CHECK(read_class_folders(dir, Split::train, kThingClasses, {}).entries.size() == 6);
  CHECK(fs::is_empty(dir + "/val"));

  write_bytes(dir + "/train/hull/mine.png", "keep");
  CHECK(contains(message_of<Refusal>([&] { write_things(dir, 6, 6, options); }), "train: holds other files too"));
  CHECK(read_bytes(dir + "/train/hull/mine.png") == "keep");
  // The two kinds of sets do not overwrite each other.
  CHECK(contains(message_of<Refusal>([&] { write_scenes(dir, 1, 1, options); }), "holds other files"));
  write_scenes(folder.file("scenes"), 1, 1, options);
  CHECK(
      contains(message_of<Refusal>([&] { write_things(folder.file("scenes"), 6, 6, options); }), "holds other files"));
}

}  // namespace
}  // namespace giza::train
