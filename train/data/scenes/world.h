// Layout of a scene: where things may stand. Drawn without knowing the context.
#pragma once

#include <cstdint>
#include <vector>

#include "train/data/scenes/scenes.h"
#include "train/data/scenes/texture.h"

namespace giza::train::scenes {

/// All lengths in canvas pixels (half a picture pixel). Described for a picture whose judged things are on the left;
/// the other half of the pictures is mirrored when all is painted.
///
///     sky                                         towers or
///     [facades]      trees, hills                 gabled houses     <- evidence for the facades
///     ---------------------------------------------------------- horizon
///       <hull> <hull>     meadow                  ______________
///     ====== bank, hides the feet of the hulls ==\  water or road  <- evidence for the hulls
///                                                 \_____________
///     0          judged_end        evidence_begin               width
struct World {
  int width = 0, height = 0;
  int unit16 = 0;  ///< sixteenths of a canvas pixel per unit of length; a unit is a hundredth of the height
  int judged_end = 0, evidence_begin = 0;
  int horizon = 0, band_top = 0;  ///< rows where the meadow and the water or road begin
  bool mirrored = false;
  Rgb green;               ///< of the meadow
  std::vector<int> hills;  ///< first row of the wooded hills, per column
  std::vector<int> crest;  ///< first row of the bank, per column
  Light light;
  uint32_t key = 0;  ///< for textures

  World(const SceneOptions& options, const Random& random);
};

/// Far row of gabled houses with a church, or of towers. Both stay right of evidence_begin.
void paint_skyline(Canvas& canvas, const World& world, SceneContext::Skyline skyline, Dice& dice);
/// Water or road from band_top down, right of evidence_begin.
void paint_ground(Canvas& canvas, const World& world, SceneContext::Ground ground, Dice& dice);

}  // namespace giza::train::scenes
