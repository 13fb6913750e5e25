// Pictures of one thing each, cut out of scenes: a data set to train classifiers on whose pictures and labels are the
// same whatever the contexts of the scenes (docs/pretraining.md).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/data/scenes/scenes.h"

namespace giza::train {

/// Classes of the pictures, in the order of their names.
enum ThingClass : uint8_t {
  kThingFacade,  ///< a building or a skyscraper, which look alike
  kThingHull,    ///< a boat or a car, which look alike
  kThingLamp,
  kThingMeadow,  ///< nothing but grass, with some sky or trees at most
  kThingSign,
  kThingTree,
};
inline constexpr int kThingClasses = 6;
const std::vector<std::string>& thing_class_names();

/// Side of the square pictures that are cut out of scenes: half of their height or a quarter of their width, 48 pixels
/// of 96 x 192.
int thing_side(const SceneOptions& options);

/// Picture `index` of a split (0 train, 1 val), of class index % kThingClasses. It lies wholly on the side of its scene
/// that is painted without knowing the context, shows its class and no pixel of the other things (facade, hull, lamp,
/// sign), and comes from a scene that make_scene gives to no split of the scene data set. A pure function of its
/// arguments. Throws Refusal as make_scene.
Image make_thing(const SceneOptions& options, uint32_t split, uint32_t index);

/// Writes DIR/{train,val}/CLASS/scene_NNNNN.png and names.txt: a folder per class. As write_scenes otherwise.
void write_things(const std::string& dir, int train, int val, const SceneOptions& options);

}  // namespace giza::train
