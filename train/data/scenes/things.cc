// Pictures of one thing each, cut out of scenes.
#include "train/data/scenes/things.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>

#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "train/data/scenes/output.h"
#include "train/data/scenes/world.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kFirstSplit = 2;  // 0 and 1 are the scene data set's
constexpr uint32_t kScenes = 256;    // looked into for a picture; most have a window of every class
/// Least share of a picture that its class covers, in 64ths: lamps and signs are thin, grass is nearly everywhere.
constexpr std::array<int, kThingClasses> kLeast = {8, 8, 1, 48, 1, 12};
constexpr int kOther = -1;  // of scene classes that are no class of things

/// What a label of a scene is here. Labels that the context decides become one class.
int thing_of(uint8_t label) {
  switch (label) {
    case kBuilding:
    case kSkyscraper:
      return kThingFacade;
    case kBoat:
    case kCar:
      return kThingHull;
    case kLamp:
      return kThingLamp;
    case kSign:
      return kThingSign;
    case kTree:
      return kThingTree;
    case kGrass:
      return kThingMeadow;
    default:
      return kOther;
  }
}

bool is_region(int thing) { return thing == kThingMeadow || thing == kThingTree; }

struct Window {
  int x, y;
};

/// Pixels of each class.
using Pixels = std::array<int, kThingClasses>;

/// Windows of a scene by what they show.
class WindowSearch {
 public:
  WindowSearch(const SceneOptions& options, const Random& random, const LabelMap& labels)
      : side_(thing_side(options)), width_(labels.width), height_(labels.height) {
    // Evidence is painted right of evidence_begin, in canvas pixels of half a picture's, before a scene is mirrored.
    const scenes::World world(options, random);
    const int free = world.evidence_begin / 2;
    begin_ = world.mirrored ? options.width - free : 0;
    end_ = world.mirrored ? options.width : free;
    sums_.resize(static_cast<size_t>(width_ + 1) * static_cast<size_t>(height_ + 1));
    for (int y = 0; y < height_; ++y) {
      for (int x = 0; x < width_; ++x) {
        const int here = thing_of(labels.at(x, y));
        for (int thing = 0; thing < kThingClasses; ++thing) {
          const auto of = [&](int px, int py) { return sum(px, py)[static_cast<size_t>(thing)]; };
          sum(x + 1, y + 1)[static_cast<size_t>(thing)] = of(x, y + 1) + of(x + 1, y) - of(x, y) + (here == thing);
        }
      }
    }
  }

  /// One of the windows that show the class, if there is one: each has the same chance.
  std::optional<Window> find(int wanted, scenes::Dice& dice) const {
    std::vector<Window> found;
    for (int y = 0; y + side_ <= height_; ++y) {
      for (int x = begin_; x + side_ <= end_; ++x) {
        if (shows({x, y}, wanted)) found.push_back({x, y});
      }
    }
    if (found.empty()) return std::nullopt;
    return found[static_cast<size_t>(dice.between(0, static_cast<int>(found.size()) - 1))];
  }

 private:
  /// Of the pixels above and left of (x, y).
  size_t place(int x, int y) const {
    return static_cast<size_t>(y) * static_cast<size_t>(width_ + 1) + static_cast<size_t>(x);
  }
  Pixels& sum(int x, int y) { return sums_[place(x, y)]; }
  const Pixels& sum(int x, int y) const { return sums_[place(x, y)]; }

  /// Enough of the class, of other things nothing, and less of other regions than would make the picture theirs.
  bool shows(const Window& window, int wanted) const {
    const Pixels &a = sum(window.x, window.y), &b = sum(window.x + side_, window.y);
    const Pixels &c = sum(window.x, window.y + side_), &d = sum(window.x + side_, window.y + side_);
    const auto pixels = [&](int thing) {
      const auto i = static_cast<size_t>(thing);
      return d[i] - b[i] - c[i] + a[i];
    };
    const auto least = [&](int thing) { return std::max(1, side_ * side_ * kLeast[static_cast<size_t>(thing)] / 64); };
    for (int thing = 0; thing < kThingClasses; ++thing) {
      if (thing != wanted && pixels(thing) >= (is_region(thing) ? least(thing) : 1)) return false;
    }
    return pixels(wanted) >= least(wanted);
  }

  int side_, width_, height_;
  int begin_, end_;  // columns that know nothing of the context
  std::vector<Pixels> sums_;
};

Image cut_out(const Image& image, const Window& window, int side) {
  Image out(side, side);
  for (int y = 0; y < side; ++y) std::copy_n(image.at(window.x, window.y + y), 3 * side, out.at(0, y));
  return out;
}

}  // namespace

const std::vector<std::string>& thing_class_names() {
  static const std::vector<std::string> names{"facade", "hull", "lamp", "meadow", "sign", "tree"};
  return names;
}

int thing_side(const SceneOptions& options) { return std::min(options.height / 2, options.width / 4); }

Image make_thing(const SceneOptions& options, uint32_t split, uint32_t index) {
  check_scene_options(options);
  const int wanted = static_cast<int>(index % kThingClasses);
  for (uint32_t i = 0; i < kScenes; ++i) {
    const uint32_t number = index * kScenes + i;
    const Scene scene = make_scene(options, kFirstSplit + split, number);
    const Random random(options.seed, Purpose::scene, kFirstSplit + split, number);
    scenes::Dice dice(random, scenes::Stream::window);
    const auto window = WindowSearch(options, random, scene.labels).find(wanted, dice);
    if (window) return cut_out(scene.image, *window, thing_side(options));
  }
  throw Refusal(fmt::format("scenes: no {} stands alone in any of {} scenes of {}x{}; use another size",
                            thing_class_names()[static_cast<size_t>(wanted)], kScenes, options.height, options.width));
}

namespace {

/// Takes away a part of an older set, and nothing that somebody else put there.
void remove_part(const fs::path& part) {
  std::error_code ignored;  // of folders that are not empty, or not there
  for (const std::string& name : thing_class_names()) {
    if (fs::is_directory(part / name)) scenes::remove_leftovers((part / name).string(), [](int) { return false; });
    fs::remove(part / name, ignored);
  }
  fs::remove(part, ignored);
  check<Refusal>(!fs::exists(part),
                 "{}: holds other files too, expected a new or empty folder, or an older set of scenes", part.string());
}

}  // namespace

void write_things(const std::string& dir, int train, int val, const SceneOptions& options) {
  const std::array<scenes::Part, 2> parts = {{{"train", train}, {"val", val}}};
  std::string names;
  for (const std::string& name : thing_class_names()) names += name + "\n";
  // Half a set looks like a whole one. So it gets its name at the end, as lists do.
  const auto unfinished = [&](size_t part) { return fs::path(dir) / fmt::format(".{}.unfinished", parts[part].name); };
  const auto folder = [&](size_t part, int index) {
    return unfinished(part) / thing_class_names()[static_cast<size_t>(index % kThingClasses)];
  };
  const auto prepare = [&] {
    for (size_t part = 0; part < parts.size(); ++part) {
      remove_part(fs::path(dir) / parts[part].name);
      fs::remove_all(unfinished(part));
      fs::create_directories(unfinished(part));
      // A folder without pictures would be refused.
      for (int i = 0; i < std::min(kThingClasses, parts[part].count); ++i) fs::create_directories(folder(part, i));
    }
  };
  const auto write = [&](size_t part, int index) {
    const Image image = make_thing(options, static_cast<uint32_t>(part), static_cast<uint32_t>(index));
    write_image((folder(part, index) / scenes::picture_name(index)).string(), image);
  };
  const auto finish = [&] {
    for (size_t part = 0; part < parts.size(); ++part) fs::rename(unfinished(part), fs::path(dir) / parts[part].name);
  };
  check_scene_options(options);
  scenes::write_set(dir, names, parts, prepare, write, finish);
}

}  // namespace giza::train
