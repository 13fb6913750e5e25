// Things of the scenes. None of them is told the context: a hull is drawn the same whether it will be called a boat or
// a car, and a facade the same whether it will be called a building or a skyscraper.
#pragma once

#include "train/data/scenes/paint.h"
#include "train/data/scenes/texture.h"

namespace giza::train::scenes {

/// A hull: long body with a raked bow, stripe, cabin with windows. Its left end is at x, its lower edge at y; `length`
/// in canvas pixels.
void paint_hull(Canvas& canvas, Dice& dice, int x, int y, int length, uint8_t label);

/// A facade with a grid of windows in [x, x + width) x [y - height, y), in canvas pixels, with things on its flat roof.
void paint_facade(Canvas& canvas, Dice& dice, int x, int y, int width, int height, int unit16, uint8_t label);

/// A round or pointed tree standing on (x, y), `height` canvas pixels tall.
void paint_tree(Canvas& canvas, Dice& dice, int x, int y, int height, uint8_t label);
/// A bush around (x, y), `radius` canvas pixels.
void paint_bush(Canvas& canvas, Dice& dice, int x, int y, int radius, uint8_t label);

/// A thin pole with a small bright head; stands on (x, y).
void paint_lamp(Canvas& canvas, Dice& dice, int x, int y, int unit16, uint8_t label);
/// A short pole with a coloured plate: round, triangular or square; stands on (x, y).
void paint_sign(Canvas& canvas, Dice& dice, int x, int y, int unit16, uint8_t label);

}  // namespace giza::train::scenes
