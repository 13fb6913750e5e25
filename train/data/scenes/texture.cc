// Random draws and textures of the scenes.
#include "train/data/scenes/texture.h"

#include <algorithm>

namespace giza::train::scenes {

int Dice::between(int low, int high) {
  const uint32_t drawn = bits();  // always one draw, so that a range never shifts what follows
  if (high <= low) return low;
  const auto range = static_cast<uint64_t>(high - low) + 1;
  return low + static_cast<int>((drawn * range) >> 32);
}

namespace {

/// 3t^2 - 2t^3 in 1/256.
int smooth(int t) { return t * t * (768 - 2 * t) >> 16; }

int lerp(int a, int b, int t) { return a + ((b - a) * t >> 8); }

}  // namespace

Noise::Noise(uint32_t key, int cell_x, int cell_y)
    : key_(key), cell_x_(cell_x), cell_y_(cell_y), smooth_(static_cast<size_t>(cell_x)) {
  for (int i = 0; i < cell_x; ++i) smooth_[static_cast<size_t>(i)] = smooth(i * 256 / cell_x);
}

void Noise::enter_row(int y) const {
  y_ = y;
  row_ = y / cell_y_;
  row_blend_ = smooth((y - row_ * cell_y_) * 256 / cell_y_);
  right_ = left_;  // no column is in an empty cell
}

void Noise::enter_cell(int x) const {
  const auto side = [this](int column) {
    const auto at = [&](int row) { return static_cast<int>(hash(key_, column, row) & 255); };
    return lerp(at(row_), at(row_ + 1), row_blend_);
  };
  const int column = x / cell_x_;
  left_ = column * cell_x_;
  right_ = left_ + cell_x_;
  low_ = side(column);
  high_ = side(column + 1);
}

Light draw_light(Dice& dice) {
  Light light;
  switch (dice.between(0, 4)) {
    case 0:  // clear day
    case 1:
      light.sky_top = {70, 140, 225}, light.sky_low = {185, 220, 245}, light.cloud = {250, 250, 252};
      light.clouds = dice.between(130, 200);
      light.gain = {256, 256, 256};
      break;
    case 2:  // overcast
      light.sky_top = {150, 160, 175}, light.sky_low = {205, 210, 215}, light.cloud = {225, 228, 232};
      light.clouds = dice.between(90, 130);
      light.gain = {232, 238, 248};
      break;
    case 3:  // evening
      light.sky_top = {80, 105, 185}, light.sky_low = {255, 200, 140}, light.cloud = {255, 205, 175};
      light.clouds = dice.between(120, 180);
      light.gain = {272, 244, 222};
      break;
    default:  // morning
      light.sky_top = {130, 165, 220}, light.sky_low = {250, 220, 225}, light.cloud = {255, 240, 240};
      light.clouds = dice.between(130, 190);
      light.gain = {258, 248, 250};
      break;
  }
  const int exposure = dice.between(215, 290);
  light.gain = {light.gain.r * exposure / 256 + dice.between(-8, 8), light.gain.g * exposure / 256,
                light.gain.b * exposure / 256 + dice.between(-8, 8)};
  light.grain = dice.between(2, 11);
  return light;
}

Rgb Meadow::operator()(int x, int y) const {
  const int patch = patches_(x, y);
  Rgb c = mix(green_, Rgb{168, 160, 84}, std::max(0, patch - 130) * 3 / 2);
  c = shade(c, 210 + blades_(x, y) * 70 / 256);
  const uint32_t flower = hash(key_ + 2, x / 2, y / 2);
  if ((flower & 0xFF) == 0 && patch > 120) c = (flower & 0x100) != 0 ? Rgb{240, 240, 230} : Rgb{240, 210, 70};
  return c;
}

}  // namespace giza::train::scenes
