// Changes of a picture's colours, as torchvision's ColorJitter makes them.
#include "train/data/color_jitter.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "tensor/base/check.h"

namespace giza::train {
namespace {

float in_range(float value) { return std::clamp(value, 0.0F, 255.0F); }
float grey_of(const float* rgb) { return 0.2989F * rgb[0] + 0.587F * rgb[1] + 0.114F * rgb[2]; }

/// Calls change(rgb) for every pixel.
template <class Change>
void each_pixel(FloatImage& image, const Change& change) {
  float* rgb = image.rgb.data();
  for (const float* end = rgb + image.rgb.size(); rgb != end; rgb += 3) change(rgb);
}

/// Where between `grey` and itself, or beyond, each value is to be.
void blend(float* rgb, float grey, float factor) {
  for (int c = 0; c < 3; ++c) rgb[c] = in_range(grey + factor * (rgb[c] - grey));
}

/// The hue as a part of a turn, in [0, 1): 0 red, 1/3 green, 2/3 blue. `range` is largest - smallest, above 0.
float hue_of(const float* rgb, float largest, float range) {
  float sixths = 0;
  if (largest == rgb[0]) {
    sixths = (rgb[1] - rgb[2]) / range;
  } else if (largest == rgb[1]) {
    sixths = 2 + (rgb[2] - rgb[0]) / range;
  } else {
    sixths = 4 + (rgb[0] - rgb[1]) / range;
  }
  return sixths < 0 ? sixths / 6 + 1 : sixths / 6;
}

}  // namespace

void ColorJitter::validate() const {
  for (const double value : {brightness, contrast, saturation, hue}) {
    check<Refusal>(value >= 0 && std::isfinite(value), "color jitter: {}, expected a number of 0 or more", value);
  }
  check<Refusal>(hue <= 0.5, "color jitter: a hue of {}, expected 0 to 0.5", hue);
}

void adjust_brightness(FloatImage& image, float factor) {
  for (float& value : image.rgb) value = in_range(value * factor);
}

void adjust_contrast(FloatImage& image, float factor) {
  double sum = 0;
  each_pixel(image, [&](const float* rgb) { sum += static_cast<double>(grey_of(rgb)); });
  const auto mean = static_cast<float>(sum / static_cast<double>(std::max<size_t>(1, image.rgb.size() / 3)));
  each_pixel(image, [&](float* rgb) { blend(rgb, mean, factor); });
}

void adjust_saturation(FloatImage& image, float factor) {
  each_pixel(image, [&](float* rgb) { blend(rgb, grey_of(rgb), factor); });
}

void adjust_hue(FloatImage& image, float turn) {
  each_pixel(image, [&](float* rgb) {
    const auto [smallest, largest] = std::minmax({rgb[0], rgb[1], rgb[2]});
    const float range = largest - smallest;
    if (range <= 0) return;  // grey has no hue
    float hue = hue_of(rgb, largest, range) + turn;
    if (hue < 0) hue += 1;
    if (hue >= 1) hue -= 1;
    // In each sixth of the turn one channel is the largest, one the smallest, and one between them.
    const float sixths = hue * 6;
    const int sector = std::min(static_cast<int>(sixths), 5);
    const float part = sixths - static_cast<float>(sector);
    const float falling = largest - range * part, rising = smallest + range * part;
    const std::array<std::array<float, 3>, 6> sectors{{{largest, rising, smallest},
                                                       {falling, largest, smallest},
                                                       {smallest, largest, rising},
                                                       {smallest, falling, largest},
                                                       {rising, smallest, largest},
                                                       {largest, smallest, falling}}};
    std::copy_n(sectors[static_cast<size_t>(sector)].data(), 3, rgb);
  });
}

void jitter_colors(FloatImage& image, const ColorJitter& jitter, Random draws) {
  const auto factor = [&](double strength) {
    const auto low = static_cast<float>(std::max(0.0, 1 - strength));
    return draws.next_uniform(low, static_cast<float>(1 + strength));
  };
  // Drawn whether they are used or not: what one of them does hangs on none of the others.
  const float brightness = factor(jitter.brightness), contrast = factor(jitter.contrast),
              saturation = factor(jitter.saturation);
  const auto widest = static_cast<float>(jitter.hue);
  const float hue = draws.next_uniform(-widest, widest);
  std::array<int, 4> order{0, 1, 2, 3};
  for (uint32_t last = 3; last > 0; --last) std::swap(order[last], order[draws.next_below(last + 1)]);
  for (const int step : order) {
    if (step == 0 && jitter.brightness > 0) adjust_brightness(image, brightness);
    if (step == 1 && jitter.contrast > 0) adjust_contrast(image, contrast);
    if (step == 2 && jitter.saturation > 0) adjust_saturation(image, saturation);
    if (step == 3 && jitter.hue > 0) adjust_hue(image, hue);
  }
}

}  // namespace giza::train
