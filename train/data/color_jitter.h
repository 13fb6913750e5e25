// Changes of a picture's colours, as torchvision's ColorJitter makes them: other light, other cameras, other weather.
#pragma once

#include "tensor/random.h"
#include "train/data/float_image.h"

namespace giza::train {

/// How far each may go; 0 leaves it alone.
struct ColorJitter {
  double brightness = 0, contrast = 0, saturation = 0;  ///< factors are from max(0, 1 - value) to 1 + value
  double hue = 0;                                       ///< a turn of the hue by -value to value; 0.5 is half of it

  bool off() const { return brightness == 0 && contrast == 0 && saturation == 0 && hue == 0; }
  /// Throws Refusal for numbers below 0, hue above 0.5, and what is no number.
  void validate() const;
  bool operator==(const ColorJitter&) const = default;
};

// Values are 0 to 255 before and after. Grey is 0.2989 R + 0.587 G + 0.114 B.

/// value * factor.
void adjust_brightness(FloatImage& image, float factor);
/// The mean grey of the picture + factor * (value - that mean).
void adjust_contrast(FloatImage& image, float factor);
/// The pixel's grey + factor * (value - that grey).
void adjust_saturation(FloatImage& image, float factor);
/// Turns the hue by `turn`, -0.5 to 0.5, in HSV.
void adjust_hue(FloatImage& image, float turn);

/// All that are on, each by a factor of its own draw, in an order that is drawn too.
void jitter_colors(FloatImage& image, const ColorJitter& jitter, Random draws);

}  // namespace giza::train
