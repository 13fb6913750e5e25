// Things of the scenes.
#include "train/data/scenes/objects.h"

#include <algorithm>

namespace giza::train::scenes {

namespace {

constexpr Rgb kPaints[] = {{196, 44, 40},  {232, 232, 226}, {38, 82, 160},  {236, 190, 52}, {40, 120, 84},
                           {224, 118, 40}, {70, 74, 84},    {60, 160, 180}, {150, 60, 110}, {214, 206, 180}};
constexpr Rgb kWalls[] = {{222, 204, 168}, {178, 96, 76},   {196, 196, 192}, {150, 166, 184}, {206, 178, 140},
                          {232, 228, 220}, {140, 128, 120}, {176, 190, 176}, {206, 160, 130}};
constexpr Rgb kLeaves[] = {{66, 122, 52}, {48, 104, 50}, {92, 134, 56}, {58, 112, 74}, {120, 128, 52}};

}  // namespace

void paint_hull(Canvas& canvas, Dice& dice, int x, int y, int length, uint8_t label) {
  const uint32_t key = dice.bits();
  const bool facing_left = dice.chance(500);
  const Rgb paint = dice.pick(kPaints), second = dice.pick(kPaints), top = dice.pick(kPaints);
  const int body = length * dice.between(26, 33) / 100, cabin = length * dice.between(18, 26) / 100;
  const int sheer = body * dice.between(-8, 18) / 100, rake = length * dice.between(3, 11) / 100;
  // Across the length in per cent, 0 at the stern; heights count upwards from the lower edge.
  const auto at = [&](int percent, int height) {
    const int along = length * percent / 100;
    return Point{facing_left ? x + length - along : x + along, y - height};
  };
  const auto across = [&](int along, int height) {
    return Point{facing_left ? x + length - along : x + along, y - height};
  };
  const int back = dice.between(10, 24), front = dice.between(60, 74), lean = dice.between(6, 14);

  // Rail or rack over the cabin and an aerial, which both boats and cars carry.
  if (dice.chance(400)) {
    const int px = at(back + 4, 0).x, thick = std::max(1, length / 60);
    fill_rect(canvas, px, y - body - cabin - cabin * 6 / 10, px + thick, y - body, label, [](int, int) {
      return Rgb{60, 60, 66};
    });
  }
  fill_polygon(
      canvas,
      {at(back, body - 1), at(back + lean / 2, body + cabin), at(front - lean, body + cabin), at(front, body - 1)},
      label, [&](int, int py) { return shade(top, 276 - (py - (y - body - cabin)) * 70 / std::max(1, cabin)); });
  // Windows: dark glass with a glint along the diagonal.
  const int panes = dice.between(2, 3), span = front - lean - back - lean / 2 - 6;
  const int sill = body + cabin * 22 / 100, head = body + cabin * 80 / 100;
  for (int i = 0; i < panes; ++i) {
    const int a = back + lean / 2 + 4 + span * i / panes, b = back + lean / 2 + 2 + span * (i + 1) / panes;
    const int slant = i + 1 == panes ? lean / 2 : 0;
    fill_polygon(canvas, {at(a, sill), at(a, head), at(b, head), at(b + slant, sill)}, label, [&](int px, int py) {
      return (px + py) % std::max(4, length / 5) < length / 24 ? Rgb{190, 214, 226} : Rgb{52, 72, 92};
    });
  }
  const Noise wear(key, 3, 3);
  const bool planks = dice.chance(350);
  const int stripe = body * dice.between(45, 70) / 100, stripe_width = body * dice.between(10, 22) / 100;
  fill_polygon(canvas,
               {across(length * 3 / 100, 0), across(0, body), across(length * 60 / 100, body + sheer / 3),
                across(length, body + sheer), across(length - rake, 0)},
               label, [&](int px, int py) {
                 const int up = y - py;
                 Rgb c = up > stripe && up <= stripe + stripe_width ? second : paint;
                 if (up <= body / 4) c = shade(c, 180);
                 if (planks && up % std::max(3, body / 4) == 0) c = shade(c, 190);
                 return shade(c, 205 + up * 60 / std::max(1, body) + wear(px, py) * 24 / 256);
               });
  // Lamp at the bow.
  const Point lamp = across(length - rake / 2 - length * 6 / 100, body * 7 / 10);
  fill_ellipse(canvas, lamp.x, lamp.y, std::max(1, length / 36), std::max(1, length / 36), label, [](int, int) {
    return Rgb{255, 244, 190};
  });
}

void paint_facade(Canvas& canvas, Dice& dice, int x, int y, int width, int height, int unit16, uint8_t label) {
  const uint32_t key = dice.bits();
  const Rgb wall = dice.pick(kWalls), glass = mix({46, 66, 90}, {110, 150, 180}, dice.between(0, 200));
  const int lit = dice.between(0, 90);  // share of lit windows, of 256
  const int pitch_x = std::max(3, units(dice.between(4, 7), unit16));
  const int pitch_y = std::max(4, units(dice.between(5, 8), unit16));
  const int pane_x = std::max(1, pitch_x * dice.between(45, 70) / 100);
  const int pane_y = std::max(2, pitch_y * dice.between(50, 72) / 100);
  const int top = y - height, side = width * dice.between(8, 22) / 100;
  const int ornament = dice.between(0, 3), bay = std::max(2, width * dice.between(25, 50) / 100);

  // On the roof: a plant room, an aerial.
  if (dice.chance(450)) {
    const int w = width * dice.between(25, 45) / 100, h = units(dice.between(2, 5), unit16), at = dice.between(5, 50);
    fill_rect(canvas, x + width * at / 100, top - h, x + width * at / 100 + w, top, label,
              [&](int, int) { return shade(wall, 190); });
  }
  if (dice.chance(350)) {
    const int at = x + width * dice.between(15, 85) / 100, h = units(dice.between(4, 9), unit16);
    fill_rect(canvas, at, top - h, at + std::max(1, units(1, unit16) / 2), top, label, [](int, int) {
      return Rgb{84, 84, 90};
    });
  }
  const Noise stains(key, 3, 5);
  const int parapet = std::max(2, units(2, unit16));
  const int first_x = (width - side) % pitch_x / 2 + (pitch_x - pane_x) / 2;
  fill_rect(canvas, x, top, x + width, y, label, [&](int px, int py) {
    const int u = px - x, v = py - top;
    Rgb c = shade(wall, 238 + stains(px, py) * 30 / 256);
    const bool shadow_side = u >= width - side;
    if (v < parapet) {
      c = shade(wall, v < parapet / 2 ? 285 : 200);
    } else if (!shadow_side && u >= first_x && u < width - side - 1) {
      const int wx = (u - first_x) % pitch_x, wy = (v - parapet) % pitch_y;
      if (wx < pane_x && wy >= pitch_y - pane_y) {
        const uint32_t h = hash(key + 1, (u - first_x) / pitch_x, (v - parapet) / pitch_y);
        c = static_cast<int>(h & 255) < lit ? Rgb{250, 220, 140} : shade(glass, 210 + static_cast<int>(h >> 8 & 63));
      } else if (ornament == 1 && wy == 0) {
        c = shade(c, 200);  // ledge under each floor
      } else if (ornament == 2 && wx == pane_x) {
        c = shade(c, 280);  // pilasters
      }
    }
    // A bay in another paint breaks the wall up.
    if (ornament == 3 && v >= parapet && u % (2 * bay) < bay) c = mix(c, Rgb{196, 120, 92}, 70);
    return shadow_side ? shade(c, 170) : c;
  });
}

void paint_tree(Canvas& canvas, Dice& dice, int x, int y, int height, uint8_t label) {
  const uint32_t key = dice.bits();
  const Rgb green = dice.pick(kLeaves);
  const int trunk = std::max(1, height / 22);
  const Leaves crown(key, std::max(2, height / 12), green);
  fill_rect(canvas, x - trunk, y - height * 4 / 10, x + trunk, y, label, [](int, int) { return Rgb{92, 70, 52}; });
  const auto leaf = [&](int px, int py) {
    // Darker towards the lower right.
    const int turn = (px - x + py - (y - height * 6 / 10)) * 90 / std::max(1, height);
    return shade(crown(px, py), 256 - turn);
  };
  if (dice.chance(300)) {  // conifer
    const int half = height * dice.between(20, 28) / 100;
    fill_polygon(canvas, {{x, y - height}, {x + half, y - height / 6}, {x - half, y - height / 6}}, label, leaf);
    return;
  }
  const int blobs = dice.between(3, 5);
  for (int i = 0; i < blobs; ++i) {
    const int r = height * dice.between(17, 26) / 100, ry = r * dice.between(80, 105) / 100;
    const int cx = x + height * dice.between(-16, 16) / 100, cy = y - height * dice.between(48, 78) / 100;
    fill_ellipse(canvas, cx, cy, r, ry, label, leaf);
  }
}

void paint_bush(Canvas& canvas, Dice& dice, int x, int y, int radius, uint8_t label) {
  const uint32_t key = dice.bits();
  const Rgb green = dice.pick(kLeaves);
  const Leaves crown(key, std::max(2, radius / 5), green);
  for (int i = 0; i < 3; ++i) {
    const int cx = x + radius * dice.between(-70, 70) / 100, cy = y - radius * dice.between(0, 25) / 100;
    const int rx = radius * dice.between(50, 80) / 100, ry = radius * dice.between(40, 60) / 100;
    fill_ellipse(canvas, cx, cy, rx, ry, label,
                 [&](int px, int py) { return shade(crown(px, py), 256 - (py - y) * 90 / std::max(1, radius)); });
  }
}

void paint_lamp(Canvas& canvas, Dice& dice, int x, int y, int unit16, uint8_t label) {
  const int height = units(dice.between(20, 30), unit16), thick = std::max(2, units(1, unit16));
  const int head = std::max(2, units(3, unit16) * 2 / 3), arm = units(dice.between(0, 3), unit16);
  const Rgb pole = dice.chance(500) ? Rgb{44, 46, 52} : Rgb{84, 92, 88};
  fill_rect(canvas, x, y - height, x + thick, y, label, [&](int, int) { return pole; });
  fill_rect(canvas, x, y - height, x + arm, y - height + thick, label, [&](int, int) { return pole; });
  fill_ellipse(canvas, x + arm, y - height, head, head, label, [](int, int) { return Rgb{255, 238, 170}; });
}

void paint_sign(Canvas& canvas, Dice& dice, int x, int y, int unit16, uint8_t label) {
  const int height = units(dice.between(10, 14), unit16), thick = std::max(2, units(1, unit16));
  const int r = std::max(3, units(dice.between(4, 6), unit16) / 2);
  constexpr Rgb kPlates[] = {{206, 32, 36}, {30, 80, 180}, {244, 204, 40}, {20, 120, 70}};
  const Rgb plate = dice.pick(kPlates);
  fill_rect(canvas, x - thick / 2, y - height, x - thick / 2 + thick, y, label, [](int, int) {
    return Rgb{120, 122, 126};
  });
  const int cy = y - height;
  const auto paint = [&](int px, int py) {
    const int dx = px - x, dy = py - cy;
    return dx * dx + dy * dy < r * r / 4 ? Rgb{245, 245, 245} : plate;
  };
  switch (dice.between(0, 2)) {
    case 0:
      return fill_ellipse(canvas, x, cy, r, r, label, paint);
    case 1:
      return fill_polygon(canvas, {{x, cy - r}, {x + r, cy + r}, {x - r, cy + r}}, label, paint);
    default:
      return fill_rect(canvas, x - r, cy - r, x + r, cy + r, label, paint);
  }
}

}  // namespace giza::train::scenes
