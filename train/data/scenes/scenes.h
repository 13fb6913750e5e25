// The scene data set: procedural pictures in which only the wide scene tells boat from car and building from
// skyscraper.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "train/data/image/image.h"

namespace giza::train {

/// Classes of the scenes; the value is the label in the label map. No pixel is left unlabelled.
enum SceneClass : uint8_t {
  kSky,
  kSkyline,  ///< the far row of houses or towers: says whether this is a town or a city
  kTree,     ///< trees, bushes, wooded hills
  kGrass,
  kWater,
  kRoad,
  kBuilding,    ///< a facade in a town
  kSkyscraper,  ///< the same facade in a city
  kBoat,        ///< a hull, where the far end of the bank shows water
  kCar,         ///< the same hull, where it shows a road
  kLamp,
  kSign,
};
inline constexpr int kSceneClasses = 12;

/// Classes that no window around the object can tell apart: (boat, car) and (building, skyscraper).
inline constexpr std::array<int, 4> kSceneContextClasses{kBuilding, kSkyscraper, kBoat, kCar};
/// Classes of a few pixels each.
inline constexpr std::array<int, 2> kSceneSmallClasses{kLamp, kSign};

/// One name and one colour per class, in the order of SceneClass.
const std::vector<std::string>& scene_class_names();
const std::vector<Color>& scene_class_colors();

/// What decides the context classes.
struct SceneContext {
  enum class Ground : uint8_t { water, road } ground = Ground::water;   ///< hulls are boats or cars
  enum class Skyline : uint8_t { town, city } skyline = Skyline::town;  ///< facades are buildings or skyscrapers
  bool operator==(const SceneContext&) const = default;
};

/// Sides in pixels and seed. A picture is a pure function of these, its split and its index.
struct SceneOptions {
  int width = 192, height = 96;
  uint64_t seed = 0;
  /// Force one context on every picture; the rest of the picture stays as the seed says.
  std::optional<SceneContext::Ground> ground;
  std::optional<SceneContext::Skyline> skyline;
};
/// Smallest and largest sides; below the smallest the evidence could not be kept out of a 33-pixel window.
inline constexpr int kSceneMinWidth = 64, kSceneMinHeight = 48, kSceneMaxSide = 4096;

struct Scene {
  Image image;
  LabelMap labels;
  SceneContext context;
};

/// Throws Refusal if a side is out of range.
void check_scene_options(const SceneOptions& options);

/// Picture `index` of a split (0 train, 1 val; any number will do). Integer arithmetic only, so the bytes are the same
/// on every machine. The two context bits are drawn apart from all else and change
/// - the picture only in the evidence: the far 36 % of the width at most, on the left or on the right,
/// - the labels of hulls and facades, which lie in the 34 % of the width at the other side,
/// so that changed pixels lie at least 28 % of the width (and more than 16 pixels) from every context-class pixel.
/// Throws Refusal as check_scene_options.
Scene make_scene(const SceneOptions& options, uint32_t split, uint32_t index);

/// Pictures of a part at most: their names have five digits.
inline constexpr int kMostScenes = 100000;

/// Writes DIR/{train,val}/scene_NNNNN.png, DIR/{trainannot,valannot}/scene_NNNNN.png, names.txt, colors.txt and, last
/// of all, the lists train.txt and val.txt ("image label" per line, relative to DIR). Pictures are made in parallel.
/// The same call over an older data set replaces it: the old lists go first, so that no list ever names a picture of
/// another run. Progress goes to stderr. Throws Refusal if options or counts are out of range or DIR holds something
/// else, Error if writing fails, Interrupted (train/signals.h) when a signal asks to stop.
void write_scenes(const std::string& dir, int train, int val, const SceneOptions& options);

}  // namespace giza::train
