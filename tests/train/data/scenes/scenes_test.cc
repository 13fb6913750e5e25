// The scene data set: the same bytes for the same seed, and a context that only the far side of a picture tells.
#include "train/data/scenes/scenes.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "tensor/base/check.h"
#include "tensor/base/hash.h"
#include "tensor/parallel.h"
#include "tests/support/refusal.h"
#include "tests/support/scopes.h"
#include "tests/support/temp_folder.h"
#include "train/data/scenes/paint.h"
#include "train/data/scenes/texture.h"
#include "train/progress.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;
using Ground = SceneContext::Ground;
using Skyline = SceneContext::Skyline;

SceneOptions with_size(int width, int height, uint64_t seed = 7) {
  SceneOptions options;
  options.width = width;
  options.height = height;
  options.seed = seed;
  return options;
}

Scene forced(SceneOptions options, uint32_t index, Ground ground, Skyline skyline) {
  options.ground = ground;
  options.skyline = skyline;
  return make_scene(options, 0, index);
}

bool is_context(int label) {
  return std::find(kSceneContextClasses.begin(), kSceneContextClasses.end(), label) != kSceneContextClasses.end();
}

uint64_t hash_scene(const Scene& scene) {
  Fnv1a hash;
  hash.add_bytes(std::span(scene.image.rgb));
  hash.add_bytes(std::span(scene.labels.index));
  return hash.value();
}

/// First and last column, and first and last row, of the pixels for which `wanted(x, y)`.
struct Box {
  int left = INT32_MAX, top = INT32_MAX, right = -1, bottom = -1;
  template <class Wanted>
  Box(int width, int height, const Wanted& wanted) {
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        if (!wanted(x, y)) continue;
        left = std::min(left, x), right = std::max(right, x);
        top = std::min(top, y), bottom = std::max(bottom, y);
      }
    }
  }
  bool empty() const { return right < 0; }
};

/// A lower bound on the Chebyshev distance of pixels in two boxes.
int distance(const Box& a, const Box& b) {
  return std::max({a.left - b.right, b.left - a.right, a.top - b.bottom, b.top - a.bottom});
}

/// What a person sees at a glance, written down: the side with much that is not grass low in the picture is the
/// evidence; bluish there is water, grey is road; tiles-red above it is a town. Uses pixels only, never labels.
SceneContext read_context(const Image& image) {
  const int w = image.width, h = image.height, strip = w * 28 / 100, low = h * 3 / 4;
  int64_t bare[2] = {}, blueness[2] = {};
  for (int side = 0; side < 2; ++side) {
    for (int y = low; y < h; ++y) {
      for (int i = 0; i < strip; ++i) {
        const uint8_t* p = image.at(side == 0 ? i : w - 1 - i, y);
        if (p[1] - p[2] >= 25) continue;  // grass
        ++bare[side];
        blueness[side] += p[2] - p[0];
      }
    }
  }
  const int side = bare[1] > bare[0] ? 1 : 0;
  const int x0 = side == 0 ? 0 : w - strip;
  int64_t red = 0, all = 0;
  for (int y = h * 28 / 100; y + 2 < h * 60 / 100; ++y) {
    for (int x = x0; x + 2 < x0 + strip; ++x) {
      int sums[2] = {};
      for (int i = 0; i < 9; ++i) {
        for (int k = 0; k < 2; ++k) sums[k] += image.at(x + i % 3, y + i / 3)[k];
      }
      red += sums[0] * 2 > sums[1] * 3 ? 1 : 0;
      ++all;
    }
  }
  SceneContext context;
  context.ground = blueness[side] > 28 * bare[side] ? Ground::water : Ground::road;
  context.skyline = red * 200 > all ? Skyline::town : Skyline::city;
  return context;
}

/// A folder, and no progress while it is there.
struct Folder {
  QuietScope quiet;
  TempFolder temp;
  fs::path path = temp.path();
};

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Every file below a folder with its bytes, in order of names.
std::vector<std::pair<std::string, std::string>> all_files(const fs::path& folder) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      files.emplace_back(fs::relative(entry.path(), folder).string(), read_text(entry.path()));
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

TEST_CASE("a window of 33 pixels cannot tell the context classes apart") {
  // The other context with the same seed: every pixel that differs is farther than 16 from every hull and facade, so
  // the 33 x 33 window around any of their pixels is the same to the byte under another label. The context bit itself
  // comes from a stream of its own (see the next test), so windows do not foretell it either.
  const int sizes[][2] = {{192, 96}, {128, 128}, {64, 48}, {64, 64}, {97, 201}, {300, 75}, {473, 473}};
  for (const auto& size : sizes) {
    const int width = size[0], height = size[1];
    const SceneOptions options = with_size(width, height);
    const uint32_t count = width > 400 ? 4 : 40;
    int least = INT32_MAX, hulls = 0, facades = 0;
    for (uint32_t index = 0; index < count; ++index) {
      const Scene a = forced(options, index, Ground::water, Skyline::town);
      const Scene b = forced(options, index, Ground::road, Skyline::city);
      const Box changed(width, height, [&](int x, int y) {
        return !std::equal(a.image.at(x, y), a.image.at(x, y) + 3, b.image.at(x, y));
      });
      const Box judged(width, height, [&](int x, int y) { return is_context(a.labels.at(x, y)); });
      REQUIRE_FALSE(changed.empty());
      REQUIRE_FALSE(judged.empty());
      least = std::min(least, distance(changed, judged));

      // Under the two contexts the same pixels are judged, with the other name of the pair; elsewhere labels differ
      // only where pixels may.
      bool consistent = true;
      for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
          const int la = a.labels.at(x, y), lb = b.labels.at(x, y);
          if (la == kBoat || la == kBuilding) {
            consistent = consistent && lb == la + 1;
            ++(la == kBoat ? hulls : facades);
          } else if (x < changed.left || x > changed.right) {
            consistent = consistent && la == lb;
          }
          consistent = consistent && la != kCar && la != kSkyscraper && lb != kBoat && lb != kBuilding;
        }
      }
      CHECK(consistent);
    }
    CAPTURE(width);
    CAPTURE(height);
    CHECK(least > 16);
    CHECK(least > width * 28 / 100);
    CHECK(hulls > 0);
    CHECK(facades > 0);
  }
}

TEST_CASE("each context bit changes only its own evidence and its own labels") {
  const SceneOptions options = with_size(192, 96);
  for (uint32_t index = 0; index < 20; ++index) {
    const Scene base = forced(options, index, Ground::water, Skyline::town);
    const Scene road = forced(options, index, Ground::road, Skyline::town);
    const Scene city = forced(options, index, Ground::water, Skyline::city);
    bool facades_stay = true, hulls_stay = true;
    for (size_t i = 0; i < base.labels.index.size(); ++i) {
      facades_stay = facades_stay && (base.labels.index[i] == kBuilding) == (road.labels.index[i] == kBuilding);
      hulls_stay = hulls_stay && (base.labels.index[i] == kBoat) == (city.labels.index[i] == kBoat);
    }
    CHECK(facades_stay);
    CHECK(hulls_stay);
    // Forcing the context that the seed gives changes nothing at all.
    const Scene drawn = make_scene(options, 0, index);
    CHECK(hash_scene(drawn) == hash_scene(forced(options, index, drawn.context.ground, drawn.context.skyline)));
  }
}

TEST_CASE("the whole picture tells the context by a rule of a few lines") {
  for (const auto& [width, height] : {std::pair{192, 96}, std::pair{128, 128}}) {
    int wrong = 0, seen[2][2] = {};
    for (uint32_t index = 0; index < 200; ++index) {
      const Scene scene = make_scene(with_size(width, height, 11), 1, index);
      wrong += read_context(scene.image) == scene.context ? 0 : 1;
      ++seen[scene.context.ground == Ground::road][scene.context.skyline == Skyline::city];
    }
    CHECK(wrong == 0);
    // All four contexts, about equally often: 50 +- 6 standard deviations.
    for (const auto& row : seen) {
      for (const int count : row) CHECK(std::abs(count - 50) < 37);
    }
  }
}

TEST_CASE("the same seed gives the same bytes on every machine") {
  // Pinned: a change here changes everybody's data set and must be deliberate.
  CHECK(hash_scene(make_scene(with_size(192, 96, 0), 0, 0)) == 4337029381671140483U);
  CHECK(hash_scene(make_scene(with_size(192, 96, 0), 1, 3)) == 5945313970404865826U);
  CHECK(hash_scene(make_scene(with_size(128, 128, 42), 0, 17)) == 1996900886379666381U);
  CHECK(hash_scene(make_scene(with_size(65, 71, 0x123456789ABCDEF0U), 0, 99999)) == 7751863495831093248U);
}

TEST_CASE("seed, split and index each make another picture, and every class turns up") {
  const SceneOptions options = with_size(192, 96);
  std::vector<uint64_t> hashes;
  int64_t pixels[256] = {};
  int with_hull = 0, with_facade = 0;
  for (uint32_t index = 0; index < 60; ++index) {
    const Scene scene = make_scene(options, 0, index);
    hashes.push_back(hash_scene(scene));
    int64_t here[256] = {};
    for (const uint8_t label : scene.labels.index) ++here[label];
    for (int k = 0; k < 256; ++k) pixels[k] += here[k];
    with_hull += here[kBoat] + here[kCar] >= 30 ? 1 : 0;
    with_facade += here[kBuilding] + here[kSkyscraper] >= 60 ? 1 : 0;
  }
  hashes.push_back(hash_scene(make_scene(options, 1, 0)));
  hashes.push_back(hash_scene(make_scene(with_size(192, 96, 8), 0, 0)));
  std::sort(hashes.begin(), hashes.end());
  CHECK(std::adjacent_find(hashes.begin(), hashes.end()) == hashes.end());
  for (int k = 0; k < 256; ++k) {
    CAPTURE(k);
    CHECK((pixels[k] > 0) == (k < kSceneClasses));
  }
  CHECK(with_hull >= 57);
  CHECK(with_facade >= 57);
  CHECK(scene_class_names().size() == kSceneClasses);
  CHECK(scene_class_colors().size() == kSceneClasses);
}

TEST_CASE("sides out of range are refused") {
  for (const auto& [width, height] : {std::pair{63, 96}, std::pair{192, 47}, std::pair{4097, 96}, std::pair{192, -1}}) {
    const std::string message = message_of<Refusal>([&, w = width, h = height] { make_scene(with_size(w, h), 0, 0); });
    CHECK(message.find("out of range") != std::string::npos);
  }
}

TEST_CASE("a written data set is whole, the same for any number of threads, and replaces an older one") {
  const Folder folder;
  const SceneOptions options = with_size(64, 48, 3);
  const fs::path one = folder.path / "a", two = folder.path / "b";
  {
    const ThreadScope threads(1);
    write_scenes(one.string(), 5, 3, options);
  }
  const ThreadScope threads(4);
  write_scenes(two.string(), 70, 9, with_size(64, 64, 4));  // to be replaced, with more pictures than before
  std::ofstream(two / "train" / "scene_00001.png.tmp77.0") << "what an interrupted run left";
  write_scenes(two.string(), 5, 3, options);

  const auto files = all_files(one);
  CHECK(files.size() == 2 * (5 + 3) + 4);
  CHECK(files == all_files(two));

  const std::string list = read_text(one / "val.txt");
  CHECK(list ==
        "val/scene_00000.png valannot/scene_00000.png\nval/scene_00001.png valannot/scene_00001.png\n"
        "val/scene_00002.png valannot/scene_00002.png\n");
  for (uint32_t index = 0; index < 3; ++index) {
    const Scene scene = make_scene(options, 1, index);
    const std::string name = fmt::format("scene_{:05}.png", index);
    CHECK(read_image((one / "val" / name).string()).rgb == scene.image.rgb);
    CHECK(read_labels((one / "valannot" / name).string()).index == scene.labels.index);
  }
  std::string names;
  for (const std::string& name : scene_class_names()) names += name + "\n";
  CHECK(read_text(one / "names.txt") == names);
  CHECK(std::count(names.begin(), names.end(), '\n') == kSceneClasses);
  const std::string colors = read_text(one / "colors.txt");
  CHECK(std::count(colors.begin(), colors.end(), '\n') == kSceneClasses);
}

TEST_CASE("a data set that cannot be written leaves no list behind") {
  const Folder folder;
  const SceneOptions options = with_size(64, 48);
  const fs::path dir = folder.path / "data";
  write_scenes(dir.string(), 2, 1, options);
  // A folder where a picture should go.
  fs::remove(dir / "train" / "scene_00001.png");
  fs::create_directories(dir / "train" / "scene_00001.png" / "in_the_way");
  CHECK_THROWS_AS(write_scenes(dir.string(), 2, 1, options), Error);
  CHECK_FALSE(fs::exists(dir / "train.txt"));
  CHECK_FALSE(fs::exists(dir / "val.txt"));
}

TEST_CASE("other people's folders and impossible counts are refused and left alone") {
  const Folder folder;
  const SceneOptions options = with_size(64, 48);
  std::ofstream(folder.path / "thesis.txt") << "years of work";
  CHECK(message_of<Refusal>([&] { write_scenes(folder.path.string(), 2, 1, options); }).find("holds other files") !=
        std::string::npos);
  std::ofstream(folder.path / "names.txt") << "sky\nbuilding\n";  // another data set
  CHECK(message_of<Refusal>([&] { write_scenes(folder.path.string(), 2, 1, options); }).find("holds other files") !=
        std::string::npos);
  CHECK(all_files(folder.path).size() == 2);
  CHECK(message_of<Refusal>([&] {
          write_scenes((folder.path / "thesis.txt").string(), 2, 1, options);
        }).find("not a folder") != std::string::npos);
  const std::string fresh = (folder.path / "fresh").string();
  CHECK(message_of<Refusal>([&] { write_scenes(fresh, -1, 1, options); }).find("expected 0 to") != std::string::npos);
  CHECK(message_of<Refusal>([&] { write_scenes(fresh, 1, 100001, options); }).find("expected 0 to") !=
        std::string::npos);
  CHECK(message_of<Refusal>([&] { write_scenes(fresh, 0, 0, options); }).find("no pictures") != std::string::npos);
  CHECK(message_of<Refusal>([&] { write_scenes(fresh, 1, 1, with_size(10, 10)); }).find("out of range") !=
        std::string::npos);
  CHECK_FALSE(fs::exists(fresh));
}

TEST_CASE("shapes fill the pixels they should and stay inside clip and canvas") {
  using scenes::Canvas, scenes::Rgb;
  const auto red = [](int, int) { return Rgb{300, -5, 7}; };
  const auto area = [](const Canvas& canvas, int label) {
    int count = 0;
    for (int y = 0; y < canvas.height(); ++y) {
      for (int x = 0; x < canvas.width(); ++x) count += canvas.label(x, y) == label ? 1 : 0;
    }
    return count;
  };
  Canvas canvas(20, 10);
  fill_rect(canvas, -5, 2, 3, 40, 1, red);
  CHECK(area(canvas, 1) == 3 * 8);
  CHECK(canvas.color(0, 2)[0] == 255);
  CHECK(canvas.color(0, 2)[1] == 0);
  CHECK(canvas.color(0, 2)[2] == 7);

  canvas.clip_left = 8;
  canvas.clip_right = 12;
  fill_polygon(canvas, {{-4, 4}, {40, 4}, {40, 6}, {-4, 6}}, 2, red);
  CHECK(area(canvas, 2) == 4 * 2);
  fill_ellipse(canvas, 10, 5, 100, 100, 3, red);
  CHECK(area(canvas, 3) == 4 * 10);
  canvas.clip_left = 0;
  canvas.clip_right = 20;

  Canvas disc(40, 40);
  fill_ellipse(disc, 20, 20, 10, 10, 4, red);
  CHECK(area(disc, 4) == 317);  // lattice points with x^2 + y^2 <= 100
  fill_below(disc, std::vector<int>(40, 30), 40, 5, red);
  CHECK(area(disc, 5) == 40 * 10);
}

TEST_CASE("noise walks as it jumps") {
  // The remembered cell must not show: any order of points gives the same values.
  const scenes::Noise walked(99, 7, 5), jumped(99, 7, 5);
  std::vector<int> values;
  int low = 255, high = 0;
  for (int y = 0; y < 40; ++y) {
    for (int x = 0; x < 60; ++x) values.push_back(walked(x, y));
  }
  bool same = true;
  for (int i = 0; i < 2400; ++i) {
    const int at = i * 1009 % 2400, value = jumped(at % 60, at / 60);
    same = same && value == values[static_cast<size_t>(at)];
    low = std::min(low, value);
    high = std::max(high, value);
  }
  CHECK(same);
  CHECK(low >= 0);
  CHECK(high <= 255);
  CHECK(high - low > 150);
}

}  // namespace giza::train
