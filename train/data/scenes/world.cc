// Layout of a scene.
#include "train/data/scenes/world.h"

#include <algorithm>

namespace giza::train::scenes {

World::World(const SceneOptions& options, const Random& random)
    : width(2 * options.width), height(2 * options.height), judged_end(width * 34 / 100 / 2 * 2) {
  Dice dice(random, Stream::layout);
  key = dice.bits();
  mirrored = dice.chance(500);
  unit16 = std::min(height, width * 2 / 3) * 16 / 100;
  // Even columns, as judged_end, so that no picture pixel straddles a border.
  evidence_begin = (width * dice.between(64, 72) / 100 + 1) / 2 * 2;
  horizon = height * dice.between(46, 56) / 100;
  band_top = horizon + units(dice.between(14, 19), unit16);
  green = mix({92, 150, 62}, {126, 150, 70}, dice.between(0, 255));
  Dice light_dice(random, Stream::light);
  light = draw_light(light_dice);

  Dice hill_dice(random, Stream::hills);
  const uint32_t hill_key = hill_dice.bits();
  const int relief = units(hill_dice.between(3, 12), unit16), rough = units(2, unit16);
  const Noise relief_at(hill_key, units(40, unit16) + 1, 1), rough_at(hill_key + 1, units(4, unit16) + 1, 1);
  hills.resize(static_cast<size_t>(width));
  for (int x = 0; x < width; ++x) {
    hills[static_cast<size_t>(x)] =
        horizon - units(2, unit16) - relief * relief_at(x, 0) / 256 - rough * rough_at(x, 0) / 256;
  }

  // The bank hides the water or road up to evidence_begin, then falls away.
  Dice bank_dice(random, Stream::bank);
  const uint32_t bank_key = bank_dice.bits();
  const int swell = units(3, unit16), fall = units(bank_dice.between(10, 26), unit16);
  const int lowest = height * bank_dice.between(88, 106) / 100;
  const Noise swell_at(bank_key, units(30, unit16) + 1, 1);
  crest.resize(static_cast<size_t>(width));
  for (int x = 0; x < width; ++x) {
    const int high = band_top - units(1, unit16) - swell * swell_at(x, 0) / 256;
    const int t = std::clamp((x - evidence_begin) * 256 / fall, 0, 256);
    crest[static_cast<size_t>(x)] = high + (lowest - high) * (t * t * (768 - 2 * t) >> 16) / 256;
  }
}

}  // namespace giza::train::scenes
