// What decides the context of a scene: the far skyline and the ground beyond the bank. Only this file knows the
// context.
#include <algorithm>

#include "train/data/scenes/world.h"

namespace giza::train::scenes {

namespace {

/// Colours fade towards the sky at a distance.
Rgb haze(const World& world, Rgb c) { return mix(c, world.light.sky_low, 70); }

void paint_house(Canvas& canvas, const World& world, Dice& dice, int x, int width, int base, int wall, int roof) {
  constexpr Rgb kRoofs[] = {{188, 78, 54}, {204, 96, 62}, {166, 66, 52}, {196, 108, 78}};
  constexpr Rgb kPlaster[] = {{236, 222, 190}, {240, 234, 220}, {226, 206, 170}, {214, 190, 164}};
  const Rgb tiles = haze(world, dice.pick(kRoofs)), plaster = haze(world, dice.pick(kPlaster));
  const uint32_t key = dice.bits();
  const bool gable = dice.chance(450);
  const int eave = base - wall, pane = std::max(2, units(2, world.unit16)), pitch = 2 * pane + pane / 2;
  fill_rect(canvas, x, eave, x + width, base, kSkyline, [&](int px, int py) {
    const int u = (px - x) % pitch, v = (py - eave) % pitch;
    const bool window = u >= pane && u < 2 * pane && v >= pane && v < 2 * pane;
    return window ? haze(world, {86, 74, 70}) : plaster;
  });
  const Noise rows(key, 3, 2);
  const auto tile = [&](int px, int py) { return shade(tiles, 225 + rows(px, py) * 40 / 256); };
  const int over = std::max(1, units(1, world.unit16));
  if (gable) {
    fill_polygon(canvas, {{x - over, eave}, {x + width / 2, eave - roof}, {x + width + over, eave}}, kSkyline, tile);
  } else {
    fill_polygon(
        canvas,
        {{x - over, eave}, {x + width / 6, eave - roof}, {x + width * 5 / 6, eave - roof}, {x + width + over, eave}},
        kSkyline, tile);
  }
}

void paint_town(Canvas& canvas, const World& world, Dice& dice) {
  const int u = world.unit16, end = world.width;
  const int church = world.evidence_begin + (end - world.evidence_begin) * dice.between(25, 75) / 100;
  {  // Church: a tower with a spire, behind the houses.
    const int half = std::max(2, units(dice.between(6, 9), u) / 2), base = world.horizon;
    const int eave = base - units(dice.between(16, 20), u), tip = eave - units(dice.between(10, 14), u);
    const Rgb stone = haze(world, {216, 200, 176}), slate = haze(world, {150, 62, 52});
    fill_rect(canvas, church - half, eave, church + half, base, kSkyline, [&](int px, int py) {
      const bool bell = std::abs(px - church) < half / 2 && py > eave + half / 2 && py < eave + half * 3 / 2;
      return bell ? haze(world, {80, 70, 66}) : stone;
    });
    fill_polygon(canvas, {{church - half - 1, eave}, {church, tip}, {church + half + 1, eave}}, kSkyline,
                 [&](int, int) { return slate; });
  }
  for (int row = 0; row < 2; ++row) {  // the far row first
    const int base = world.horizon + (row == 0 ? 0 : units(3, u));
    int x = world.evidence_begin + units(dice.between(0, 4), u);
    while (x < end) {
      const int width = units(dice.between(9, 16), u);
      const int wall = units(dice.between(6, 10), u), roof = units(dice.between(5, 9), u);
      paint_house(canvas, world, dice, x, width, base, wall, roof);
      x += width + (dice.chance(250) ? units(dice.between(1, 6), u) : 0);
    }
  }
}

void paint_tower(Canvas& canvas, const World& world, Dice& dice, int x, int width, int base, int height) {
  constexpr Rgb kGlass[] = {{96, 128, 160}, {112, 136, 152}, {84, 108, 140}, {126, 140, 160}, {92, 124, 136}};
  const Rgb glass = haze(world, dice.pick(kGlass)), frame = mix(glass, haze(world, {214, 224, 232}), 130);
  const uint32_t key = dice.bits();
  const int pitch = std::max(3, units(3, world.unit16)), top = base - height, style = dice.between(0, 3);
  const auto wall = [&](int px, int py) {
    const int u = (px - x + pitch * 64) % pitch, v = (py - top + pitch * 64) % pitch;
    const bool line = (style != 1 && v == 0) || (style != 2 && u == 0);
    Rgb c = line ? frame : shade(glass, 236 + static_cast<int>(hash(key, px / pitch, py / pitch) & 31));
    return px > x + width * 7 / 10 ? shade(c, 205) : c;
  };
  if (style == 3) {  // a narrower upper part and a needle
    const int neck = width / 5, shoulder = top + height / 5, mid = x + width / 2;
    fill_rect(canvas, mid, top - units(6, world.unit16), mid + std::max(2, units(1, world.unit16)), top, kSkyline,
              [&](int, int) { return frame; });
    fill_rect(canvas, x + neck, top, x + width - neck, shoulder, kSkyline, wall);
    fill_rect(canvas, x, shoulder, x + width, base, kSkyline, wall);
  } else if (style == 2) {  // a slanted roof
    fill_polygon(canvas, {{x, base}, {x, top}, {x + width, top + width / 3}, {x + width, base}}, kSkyline, wall);
  } else {
    fill_rect(canvas, x, top, x + width, base, kSkyline, wall);
  }
}

void paint_city(Canvas& canvas, const World& world, Dice& dice) {
  const int u = world.unit16;
  for (int row = 0; row < 2; ++row) {
    const int base = world.horizon + (row == 0 ? 0 : units(3, u));
    const int low = row == 0 ? 50 : 30, high = row == 0 ? 88 : 60;  // per cent of the sky's height
    int x = world.evidence_begin + units(dice.between(0, 4), u);
    while (x < world.width) {
      const int width = units(dice.between(8, 15), u);
      paint_tower(canvas, world, dice, x, width, base, base * dice.between(low, high) / 100);
      x += width + (dice.chance(400) ? units(dice.between(1, 6), u) : 0);
    }
  }
}

void paint_water(Canvas& canvas, const World& world, Dice& dice) {
  const uint32_t key = dice.bits();
  const Rgb deep = mix({28, 84, 140}, {36, 110, 130}, dice.between(0, 255));
  const Rgb shine = mix({200, 226, 240}, world.light.sky_low, 128);
  const int u = world.unit16, reeds = world.band_top + std::max(2, units(1, u));
  const Noise waves(key, 1 + units(9, u), 1 + units(2, u)), ripples(key + 1, 1 + units(3, u), 2);
  fill_rect(canvas, 0, world.band_top, world.width, world.height, kWater, [&](int x, int y) {
    if (y < reeds) return Rgb{70, 92, 60};
    // Waves grow towards the viewer; far water mirrors the sky.
    const int depth = (y - world.band_top) * 256 / std::max(1, world.height - world.band_top);
    const int wave = waves(x, y), ripple = ripples(x, y);
    Rgb c = mix(mix(deep, shine, 60), deep, depth);
    c = shade(c, 215 + wave * 70 / 256);
    return ripple > 196 && wave > 90 ? mix(c, shine, 60 + depth * 80 / 256) : c;
  });
}

void paint_road(Canvas& canvas, const World& world, Dice& dice) {
  const uint32_t key = dice.bits();
  const int u = world.unit16, depth = world.height - world.band_top;
  const Rgb asphalt = mix({92, 92, 94}, {122, 118, 114}, dice.between(0, 255));
  const int kerb = world.band_top + std::max(2, units(2, u)), line = kerb + std::max(2, units(1, u));
  const int middle = world.band_top + depth * dice.between(40, 60) / 100, thick = std::max(2, units(2, u));
  const int dash = units(dice.between(9, 13), u), phase = dice.between(0, dash);
  const Noise wear(key + 1, 1 + units(20, u), 1 + units(5, u)), mended(key + 2, 1 + units(22, u), 1 + units(9, u));
  fill_rect(canvas, 0, world.band_top, world.width, world.height, kRoad, [&](int x, int y) {
    if (y < kerb) return Rgb{186, 182, 174};
    Rgb c = shade(asphalt, 226 + static_cast<int>(hash(key, x, y) & 31) + wear(x, y) * 30 / 256);
    // A mended patch breaks the surface up.
    if (mended(x / 8 * 8, y / 8 * 8) > 190) c = shade(c, 205);
    const bool edge = y >= line && y < line + std::max(1, thick / 2);
    const bool dashed = y >= middle && y < middle + thick && (x + phase) % (2 * dash) < dash;
    return edge || dashed ? Rgb{236, 234, 226} : c;
  });
}

}  // namespace

void paint_skyline(Canvas& canvas, const World& world, SceneContext::Skyline skyline, Dice& dice) {
  const int left = canvas.clip_left;
  canvas.clip_left = world.evidence_begin;
  if (skyline == SceneContext::Skyline::town) {
    paint_town(canvas, world, dice);
  } else {
    paint_city(canvas, world, dice);
  }
  canvas.clip_left = left;
}

void paint_ground(Canvas& canvas, const World& world, SceneContext::Ground ground, Dice& dice) {
  const int left = canvas.clip_left;
  canvas.clip_left = world.evidence_begin;
  if (ground == SceneContext::Ground::water) {
    paint_water(canvas, world, dice);
  } else {
    paint_road(canvas, world, dice);
  }
  canvas.clip_left = left;
}

}  // namespace giza::train::scenes
