// Random draws and textures of the scenes. Integers only, so that every machine gives the same bits.
#pragma once

#include <cstdint>
#include <vector>

#include "tensor/random.h"
#include "train/data/scenes/paint.h"

namespace giza::train::scenes {

/// What a picture's numbers are for. Each stream has its own counters, so that drawing more or fewer numbers for one
/// part of a picture never moves another part: flipping the context leaves the rest as it was.
enum class Stream : uint32_t {
  context,
  layout,
  light,
  sky,
  hills,
  facades,
  skyline,
  ground,
  bank,
  hulls,
  trees,
  small,
  window  ///< of a picture of one thing
};

/// Walks through one stream of a picture. At most one draw per function call's arguments: their order is the
/// compiler's.
class Dice {
 public:
  Dice(const Random& random, Stream stream) : random_(random), cursor_(static_cast<uint32_t>(stream) << 20) {}

  uint32_t bits() { return random_.bits(cursor_++); }
  /// Uniform in [low, high], both ends included; low if high is below it.
  int between(int low, int high);
  /// True with probability permille / 1000.
  bool chance(int permille) { return between(0, 999) < permille; }
  template <class T, size_t N>
  const T& pick(const T (&choices)[N]) {
    return choices[static_cast<size_t>(between(0, static_cast<int>(N) - 1))];
  }

 private:
  const Random& random_;
  uint32_t cursor_;
};

/// 32 well-mixed bits of a grid point. For textures, where a Philox block per grain would be too slow; `key` is drawn.
inline uint32_t hash(uint32_t key, int x, int y) {
  uint32_t h = key ^ (static_cast<uint32_t>(x) * 0x9E3779B1U) ^ (static_cast<uint32_t>(y) * 0x85EBCA77U);
  h = (h ^ (h >> 15)) * 0x2C1B3C6DU;
  h = (h ^ (h >> 12)) * 0x297A2D39U;
  return h ^ (h >> 15);
}

/// Value noise in [0, 255]: random values on a grid of cells, smoothly blended. Remembers the cell it was asked in
/// last, so walk along rows. Not thread-safe.
class Noise {
 public:
  /// Cells of cell_x by cell_y pixels, at least 1.
  Noise(uint32_t key, int cell_x, int cell_y);
  /// x, y >= 0.
  int operator()(int x, int y) const {
    if (y != y_) enter_row(y);
    if (x < left_ || x >= right_) enter_cell(x);
    const int t = smooth_[static_cast<size_t>(x - left_)];
    return low_ + ((high_ - low_) * t >> 8);
  }

 private:
  void enter_row(int y) const;
  void enter_cell(int x) const;

  uint32_t key_;
  int cell_x_, cell_y_;
  std::vector<int> smooth_;  ///< blend by column within a cell, in 1/256
  mutable int y_ = -1, row_ = 0, row_blend_ = 0;
  mutable int left_ = 0, right_ = 0, low_ = 0, high_ = 0;
};

/// Light of the whole picture: how the sky looks and what is done to every pixel at the end.
struct Light {
  Rgb sky_top, sky_low;  ///< sky at the upper edge and at the horizon
  Rgb cloud;             ///< colour of clouds
  int clouds = 0;        ///< noise level, 0 to 255, above which there is cloud
  Rgb gain;              ///< per channel, in 1/256
  int grain = 0;         ///< strength of the pixel noise, in levels
};
Light draw_light(Dice& dice);

/// Leaves: clumps and specks around a green.
class Leaves {
 public:
  Leaves(uint32_t key, int cell, Rgb green)
      : green_(green), clumps_(key, 2 * cell, 2 * cell), specks_(key + 1, cell, cell) {}
  Rgb operator()(int x, int y) const {
    return shade(green_, 150 + clumps_(x, y) * 80 / 256 + specks_(x, y) * 70 / 256);
  }

 private:
  Rgb green_;
  Noise clumps_, specks_;
};

/// Meadow with dry patches, blades and a few flowers.
class Meadow {
 public:
  Meadow(uint32_t key, int unit16, Rgb green)
      : key_(key),
        green_(green),
        patches_(key, 1 + units(16, unit16), 1 + units(5, unit16)),
        blades_(key + 1, 1 + units(1, unit16), 1 + units(2, unit16)) {}
  Rgb operator()(int x, int y) const;

 private:
  uint32_t key_;
  Rgb green_;
  Noise patches_, blades_;
};

}  // namespace giza::train::scenes
