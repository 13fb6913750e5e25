// Changes of colours against torchvision's own results, and what is drawn.
#include "train/data/color_jitter.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "tensor/base/check.h"
#include "train/data/transforms.h"

namespace giza::train {
namespace {

/// Reds, greens, blues, a grey, and values at both ends.
FloatImage colors() {
  FloatImage image(3, 2);
  image.rgb = {200, 30, 60, 10, 220, 90, 40, 70, 250, 128, 128, 128, 250, 240, 5, 0, 77, 255};
  return image;
}

TEST_CASE("color jitter: each change as torchvision 0.29.1 makes it") {
  struct Case {
    std::function<void(FloatImage&)> change;
    std::vector<float> expected;
  };
  // transforms.functional.adjust_* on float tensors from 0 to 1, times 255.
  const std::vector<Case> cases{
      {[](FloatImage& image) { adjust_brightness(image, 1.3F); },
       {255, 39, 78, 13, 255, 117, 52, 91, 255, 166.4F, 166.4F, 166.4F, 255, 255, 6.5F, 0, 100.1F, 255}},
      {[](FloatImage& image) { adjust_contrast(image, 0.6F); },
       {168.44F, 66.44F, 84.44F, 54.44F, 180.44F, 102.44F, 72.44F, 90.44F, 198.44F, 125.24F, 125.24F, 125.24F, 198.44F,
        192.44F, 51.44F, 48.44F, 94.64F, 201.44F}},
      {[](FloatImage& image) { adjust_contrast(image, 1.5F); },
       {239.45F, 0, 29.45F, 0, 255, 74.45F, 0, 44.45F, 255, 131.45F, 131.45F, 131.45F, 255, 255, 0, 0, 54.95F, 255}},
      {[](FloatImage& image) { adjust_saturation(image, 0.3F); },
       {118.961F, 67.961F, 76.961F, 102.672F, 165.672F, 126.672F, 69.082F, 78.082F, 132.082F, 127.991F, 127.991F,
        127.991F, 226.323F, 223.323F, 152.823F, 51.988F, 75.088F, 128.488F}},
      {[](FloatImage& image) { adjust_saturation(image, 1.7F); },
       {255, 0, 43.039F, 0, 255, 53.328F, 10.918F, 61.918F, 255, 128.009F, 128.009F, 128.009F, 255, 255, 0, 0, 78.912F,
        255}},
      {[](FloatImage& image) { adjust_hue(image, 0.1F); },
       {200, 102, 30, 10, 220, 216, 136, 40, 250, 128, 128, 128, 113, 250, 5, 76, 0, 255}},
      {[](FloatImage& image) { adjust_hue(image, -0.35F); },
       {30, 77, 200, 220, 69, 10, 91, 250, 40, 128, 128, 128, 215.5F, 5, 250, 102.5F, 255, 0}},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    CAPTURE(i);
    FloatImage image = colors();
    cases[i].change(image);
    for (size_t j = 0; j < image.rgb.size(); ++j) {
      CAPTURE(j);
      CHECK(std::abs(image.rgb[j] - cases[i].expected[j]) < 0.01F);
    }
  }
}

TEST_CASE("color jitter: a whole turn of the hue, in either direction, changes nothing") {
  for (const float half : {0.5F, -0.5F}) {
    FloatImage image = colors();
    adjust_hue(image, half);
    adjust_hue(image, half);
    for (size_t j = 0; j < image.rgb.size(); ++j) CHECK(image.rgb[j] == doctest::Approx(colors().rgb[j]).epsilon(1e-4));
  }
}

TEST_CASE("color jitter: factors fill their range, orders vary, and a sample's draws are its own") {
  FloatImage dot(1, 1);
  dot.rgb = {100, 100, 100};
  double smallest = 1e9, largest = 0, sum = 0;
  constexpr uint32_t kDraws = 400;
  for (uint32_t i = 0; i < kDraws; ++i) {
    FloatImage image = dot;
    jitter_colors(image, {.brightness = 0.4}, Random(3, Purpose::color, 0, i));
    smallest = std::min(smallest, static_cast<double>(image.rgb[0]));
    largest = std::max(largest, static_cast<double>(image.rgb[0]));
    sum += static_cast<double>(image.rgb[0]);
    FloatImage again = dot;
    jitter_colors(again, {.brightness = 0.4}, Random(3, Purpose::color, 0, i));
    CHECK(again.rgb == image.rgb);
  }
  CHECK(smallest >= 60);
  CHECK(smallest < 62);
  CHECK(largest <= 140);
  CHECK(largest > 138);
  CHECK(sum / kDraws == doctest::Approx(100).epsilon(0.04));

  // A factor of 1.5 or so drives values to the upper end, which loses them: the order shows.
  std::set<bool> brighter_first;
  for (uint32_t i = 0; i < 200; ++i) {
    const Random draws(3, Purpose::color, 1, i);
    Random factors = draws;
    const float brightness = factors.next_uniform(0.5F, 1.5F), contrast = factors.next_uniform(0.5F, 1.5F);
    if (brightness < 1.2F || contrast > 0.8F) continue;
    FloatImage either = colors(), other = colors(), drawn = colors();
    adjust_brightness(either, brightness);
    adjust_contrast(either, contrast);
    adjust_contrast(other, contrast);
    adjust_brightness(other, brightness);
    jitter_colors(drawn, {.brightness = 0.5, .contrast = 0.5}, draws);
    REQUIRE(either.rgb != other.rgb);
    CHECK((drawn.rgb == either.rgb || drawn.rgb == other.rgb));
    brighter_first.insert(drawn.rgb == either.rgb);
  }
  CHECK(brighter_first.size() == 2);
}

TEST_CASE("augment: colours change after the crop, by the sample's draws; labels stay") {
  Image image(8, 6);
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<uint8_t>(i * 37 % 256);
  const LabelMap labels(8, 6, 1);
  TransformOptions options = TransformOptions::center_crop(4, 4);
  options.color_jitter = {0.4, 0.4, 0.4, 0.1};
  FloatImage expected = crop(to_float(image), 2, 1, 4, 4);
  jitter_colors(expected, options.color_jitter, Random(5, Purpose::color, 7, 9));
  normalize(expected, options.mean, options.std);
  const Sample sample = augment(image, labels, options, 5, 7, 9);
  CHECK(sample.image == expected.rgb);
  CHECK(std::all_of(sample.labels.begin(), sample.labels.end(), [](int32_t label) { return label == 1; }));
}

TEST_CASE("color jitter: strengths that make no sense are refused") {
  CHECK_NOTHROW((ColorJitter{2, 0, 0.5, 0.5}).validate());
  CHECK_THROWS_AS((ColorJitter{.brightness = -0.1}).validate(), Refusal);
  CHECK_THROWS_AS((ColorJitter{.contrast = NAN}).validate(), Refusal);
  CHECK_THROWS_AS((ColorJitter{.saturation = INFINITY}).validate(), Refusal);
  CHECK_THROWS_AS((ColorJitter{.hue = 0.6}).validate(), Refusal);
}

}  // namespace
}  // namespace giza::train
