// A scene from its numbers: paints from back to front, then labels, light and noise.
#include <algorithm>

#include "tensor/base/check.h"
#include "train/data/scenes/objects.h"
#include "train/data/scenes/scenes.h"
#include "train/data/scenes/world.h"

namespace giza::train {

using namespace scenes;  // NOLINT: the parts of this very data set

namespace {

void paint_sky(Canvas& canvas, const World& world, Dice& dice) {
  const uint32_t key = dice.bits();
  const Light& light = world.light;
  const int u = world.unit16, sun_x = world.width * dice.between(5, 95) / 100;
  const int sun_y = world.horizon * dice.between(15, 60) / 100, sun_r = units(5, u);
  const Noise large(key, 1 + units(36, u), 1 + units(12, u)), middle(key + 1, 1 + units(12, u), 1 + units(5, u));
  const Noise small(key + 2, 1 + units(5, u), 1 + units(3, u));
  const bool sun = light.clouds > 150 && dice.chance(600);
  fill_rect(canvas, 0, 0, world.width, world.horizon + 1, kSky, [&](int x, int y) {
    Rgb c = mix(light.sky_top, light.sky_low, std::min(256, y * 256 / world.horizon));
    if (sun && (x - sun_x) * (x - sun_x) + (y - sun_y) * (y - sun_y) < sun_r * sun_r) c = {255, 246, 214};
    const int cloud = large(x, y) * 5 / 8 + middle(x, y) * 2 / 8 + small(x, y) / 8;
    return mix(c, light.cloud, std::clamp((cloud - light.clouds) * 6, 0, 230));
  });
}

void paint_hills(Canvas& canvas, const World& world) {
  const Rgb wood = mix({62, 104, 70}, world.light.sky_low, 60);
  fill_below(canvas, world.hills, world.horizon + 1, kTree,
             Leaves(world.key, std::max(2, units(2, world.unit16)), wood));
}

/// From the horizon to where the water or road begins; darker than the bank, so that the bank stands out.
void paint_meadow(Canvas& canvas, const World& world) {
  fill_rect(canvas, 0, world.horizon, world.width, world.band_top, kGrass,
            Meadow(world.key + 10, world.unit16 / 2, shade(world.green, 214)));
}

/// The bank in front, which hides whatever the hulls stand on.
void paint_bank(Canvas& canvas, const World& world, Dice& dice) {
  const int u = world.unit16, rim = std::max(2, units(2, u)), stripe = units(dice.between(8, 14), u);
  const Meadow meadow(world.key + 20, u, world.green);
  const bool mown = dice.chance(400);
  fill_below(canvas, world.crest, world.height, kGrass, [&](int x, int y) {
    const int down = y - world.crest[static_cast<size_t>(x)];
    const int light = down < rim ? 300 : 262 - std::min(50, down * 50 / (world.height / 2));
    const bool band = mown && (x + 2 * y) / stripe % 2 == 0;
    return shade(meadow(x, y), band ? light - 22 : light);
  });
}

void paint_facades(Canvas& canvas, const World& world, uint8_t label, Dice& dice) {
  const int u = world.unit16, count = dice.between(1, 3);
  canvas.clip_right = world.judged_end;
  for (int i = 0; i < count; ++i) {
    const int width = units(dice.between(14, 28), u), height = units(dice.between(16, 46), u);
    const int left = dice.between(-width / 4, world.judged_end - width);
    const int base = world.horizon + units(3 + 2 * i, u);
    paint_facade(canvas, dice, left, base, width, std::min(height, base - units(4, u)), u, label);
  }
  canvas.clip_right = world.width;
}

void paint_hulls(Canvas& canvas, const World& world, uint8_t label, Dice& dice) {
  const int u = world.unit16, count = dice.between(1, 3);
  canvas.clip_right = world.judged_end;
  for (int i = 0; i < count; ++i) {
    const int length = std::min(units(dice.between(22, 42), u), world.judged_end * 3 / 4);
    const int left = dice.between(-length / 5, world.judged_end - length);
    const int middle = std::clamp(left + length / 2, 0, world.width - 1);
    const int keel = world.crest[static_cast<size_t>(middle)] + length * dice.between(5, 13) / 100;
    paint_hull(canvas, dice, left, keel, length, label);
  }
  canvas.clip_right = world.width;
}

/// Trees and bushes behind the hulls, anywhere along the meadow.
void paint_trees(Canvas& canvas, const World& world, Dice& dice) {
  const int u = world.unit16, count = dice.between(3, 7);
  for (int i = 0; i < count; ++i) {
    const int x = dice.between(0, world.width - 1), base = world.horizon + units(dice.between(2, 10), u);
    if (dice.chance(600)) {
      paint_tree(canvas, dice, x, base, units(dice.between(9, 20), u), kTree);
    } else {
      paint_bush(canvas, dice, x, base, units(dice.between(4, 8), u), kTree);
    }
  }
}

/// In front of everything: bushes on the bank that hide parts of hulls and of the evidence, lamps and signs.
void paint_front(Canvas& canvas, const World& world, Dice& dice) {
  const int u = world.unit16, bushes = dice.between(0, 3), lamps = dice.between(1, 4), signs = dice.between(1, 3);
  const auto crest = [&](int x) { return std::min(world.crest[static_cast<size_t>(x)], world.height - 1); };
  for (int i = 0; i < bushes; ++i) {
    const int x = dice.between(0, world.width - 1), drop = units(dice.between(2, 10), u);
    paint_bush(canvas, dice, x, crest(x) + drop, units(dice.between(4, 9), u), kTree);
  }
  for (int i = 0; i < lamps; ++i) {
    const int x = dice.between(units(2, u), world.width - 1 - units(4, u)), drop = units(dice.between(2, 12), u);
    paint_lamp(canvas, dice, x, crest(x) + drop, u, kLamp);
  }
  for (int i = 0; i < signs; ++i) {
    const int x = dice.between(units(4, u), world.width - 1 - units(4, u)), drop = units(dice.between(2, 14), u);
    paint_sign(canvas, dice, x, crest(x) + drop, u, kSign);
  }
}

/// Two by two canvas pixels to one: colours averaged, under the picture's light and grain; the label that most of the
/// four have, of equals the higher one (classes are numbered from the far and large to the near and small).
void develop(const Canvas& canvas, const World& world, Scene& scene) {
  const int width = canvas.width() / 2, height = canvas.height() / 2;
  scene.image = Image(width, height);
  scene.labels = LabelMap(width, height);
  const Rgb gain = world.light.gain;
  const int gains[3] = {gain.r, gain.g, gain.b};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const int cx = 2 * x, out_x = world.mirrored ? width - 1 - x : x;
      int sums[3] = {}, votes[kSceneClasses] = {};
      for (int i = 0; i < 4; ++i) {
        const uint8_t* c = canvas.color(cx + i % 2, 2 * y + i / 2);
        for (int k = 0; k < 3; ++k) sums[k] += c[k];
        ++votes[canvas.label(cx + i % 2, 2 * y + i / 2)];
      }
      const uint32_t bits = hash(world.key ^ 0xA511E9B3U, x, y);
      uint8_t* out = scene.image.at(out_x, y);
      for (int k = 0; k < 3; ++k) {
        // The sum of two uniform numbers, centred: close enough to a sensor's noise.
        const int grain = static_cast<int>(bits >> (10 * k) & 31) + static_cast<int>(bits >> (10 * k + 5) & 31) - 31;
        out[k] = static_cast<uint8_t>(std::clamp(sums[k] * gains[k] / 1024 + grain * world.light.grain / 16, 0, 255));
      }
      int best = 0;
      for (int k = 1; k < kSceneClasses; ++k) {
        if (votes[k] >= votes[best]) best = k;
      }
      scene.labels.at(out_x, y) = static_cast<uint8_t>(best);
    }
  }
}

}  // namespace

const std::vector<std::string>& scene_class_names() {
  static const std::vector<std::string> names{"sky",      "skyline",    "tree", "grass", "water", "road",
                                              "building", "skyscraper", "boat", "car",   "lamp",  "sign"};
  return names;
}

const std::vector<Color>& scene_class_colors() {
  static const std::vector<Color> colors{{150, 205, 250}, {186, 160, 210}, {40, 110, 50},  {140, 200, 90},
                                         {40, 90, 220},   {110, 110, 110}, {230, 160, 70}, {130, 40, 130},
                                         {0, 230, 220},   {230, 40, 40},   {255, 240, 60}, {255, 110, 200}};
  return colors;
}

void check_scene_options(const SceneOptions& options) {
  const auto in_range = [](int side, int least) { return side >= least && side <= kSceneMaxSide; };
  check<Refusal>(in_range(options.width, kSceneMinWidth) && in_range(options.height, kSceneMinHeight),
                 "scenes: size {}x{} (height x width) is out of range, expected {}x{} to {}x{}, choose another size",
                 options.height, options.width, kSceneMinHeight, kSceneMinWidth, kSceneMaxSide, kSceneMaxSide);
}

Scene make_scene(const SceneOptions& options, uint32_t split, uint32_t index) {
  check_scene_options(options);
  const Random random(options.seed, Purpose::scene, split, index);
  Dice context(random, Stream::context);
  Scene scene;
  const bool road = context.chance(500), city = context.chance(500);
  scene.context.ground = options.ground.value_or(road ? SceneContext::Ground::road : SceneContext::Ground::water);
  scene.context.skyline = options.skyline.value_or(city ? SceneContext::Skyline::city : SceneContext::Skyline::town);

  const World world(options, random);
  Canvas canvas(world.width, world.height);
  const auto with = [&random](Stream stream, const auto& paint) {
    Dice dice(random, stream);
    paint(dice);
  };
  with(Stream::sky, [&](Dice& d) { paint_sky(canvas, world, d); });
  paint_hills(canvas, world);
  with(Stream::skyline, [&](Dice& d) { paint_skyline(canvas, world, scene.context.skyline, d); });
  const uint8_t facade = scene.context.skyline == SceneContext::Skyline::town ? kBuilding : kSkyscraper;
  paint_meadow(canvas, world);
  with(Stream::facades, [&](Dice& d) { paint_facades(canvas, world, facade, d); });
  with(Stream::ground, [&](Dice& d) { paint_ground(canvas, world, scene.context.ground, d); });
  with(Stream::trees, [&](Dice& d) { paint_trees(canvas, world, d); });
  const uint8_t hull = scene.context.ground == SceneContext::Ground::water ? kBoat : kCar;
  with(Stream::hulls, [&](Dice& d) { paint_hulls(canvas, world, hull, d); });
  with(Stream::bank, [&](Dice& d) { paint_bank(canvas, world, d); });
  with(Stream::small, [&](Dice& d) { paint_front(canvas, world, d); });
  develop(canvas, world, scene);
  return scene;
}

}  // namespace giza::train
