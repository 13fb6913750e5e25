// Augmentation of training pictures, pixel for pixel as semseg does it with OpenCV: scale, rotate, blur, flip, crop,
// normalise; beside these, other colours after the crop, and for classifiers a margin before it and a size after it.
// Each step is a plain function of explicit parameters; `augment` chains them with numbers drawn from (seed, epoch,
// sample) alone.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "train/data/color_jitter.h"
#include "train/data/float_image.h"
#include "train/data/image/image.h"

namespace giza::train {

using Rgb = std::array<float, 3>;
/// ImageNet's mean and standard deviation on the scale of 0 to 255.
inline constexpr Rgb kImageNetMean = {0.485F * 255, 0.456F * 255, 0.406F * 255};
inline constexpr Rgb kImageNetStd = {0.229F * 255, 0.224F * 255, 0.225F * 255};

/// What a pixel becomes before the network sees it: (RGB - mean) / std, on the scale of 0 to 255.
struct Normalization {
  Rgb mean = kImageNetMean;
  Rgb std = kImageNetStd;
  bool operator==(const Normalization&) const = default;
};

FloatImage to_float(const Image& image);

/// round(side * factor), half to even, at least 1: the size that cv2.resize(fx, fy) gives a side.
int scaled_side(int side, double factor);
/// cv2.resize(fx=factor, fy=factor, INTER_LINEAR): half-pixel centres, no antialias, source step 1 / factor.
/// Throws Refusal above kMaxPixels (train/data/image/image.h).
FloatImage scale_linear(const Image& image, double factor);
FloatImage scale_linear(const FloatImage& image, double factor);
/// cv2.resize(fx=factor, fy=factor, INTER_NEAREST): pixel floor(x / factor).
LabelMap scale_nearest(const LabelMap& labels, double factor);
/// cv2.resize to a size: the source step is the ratio of the sizes.
FloatImage resize_linear(const Image& image, int width, int height);
FloatImage resize_linear(const FloatImage& image, int width, int height);
LabelMap resize_nearest(const LabelMap& labels, int width, int height);

/// Counter-clockwise about (width/2, height/2), same canvas; outside of the picture is `fill`.
FloatImage rotate_linear(const FloatImage& image, double degrees, const Rgb& fill);
LabelMap rotate_nearest(const LabelMap& labels, double degrees, uint8_t fill);

/// 5x5 with [1 4 6 4 1]/16 in each direction, borders mirrored without repeating the edge (cv2's default).
FloatImage gaussian_blur(const FloatImage& image);

void flip_horizontal(FloatImage& image);
void flip_horizontal(LabelMap& labels);

/// Size of a picture whose long side becomes `long_side`: the other in proportion, rounded half to even, at least 1.
struct PictureSize {
  int width = 0, height = 0;
};
PictureSize scaled_size(int width, int height, int long_side);

/// Grown to at least the size, evenly on both sides (the smaller half left and above), with `fill`.
FloatImage pad_to(const FloatImage& image, int width, int height, const Rgb& fill);
LabelMap pad_to(const LabelMap& labels, int width, int height, uint8_t fill);
/// The window of width x height whose upper left corner is (x, y). Throws ShapeError if it does not fit.
FloatImage crop(const FloatImage& image, int x, int y, int width, int height);
LabelMap crop(const LabelMap& labels, int x, int y, int width, int height);

/// (value - mean) / std.
void normalize(FloatImage& image, const Rgb& mean, const Rgb& std);

enum class CropType { random, center };

/// The chain's settings; the defaults are semseg's for training. A step is off where its probability is 0, its range
/// is a point (scale 1, angle 0), or for the crop where crop_h and crop_w are 0.
struct TransformOptions {
  double scale_min = 0.5, scale_max = 2.0;
  double rotate_min = -10, rotate_max = 10;  ///< degrees
  double rotate_probability = 0.5;
  double blur_probability = 0.5;
  double flip_probability = 0.5;
  ColorJitter color_jitter = {};
  int pad = 0;                     ///< width of a margin of the mean around the picture, before the crop
  int crop_h = 473, crop_w = 473;  ///< 0, 0: no crop, samples keep their picture's size
  CropType crop_type = CropType::random;
  Rgb mean = kImageNetMean;
  Rgb std = kImageNetStd;
  int ignore_label = 255;  ///< 0 to 255
  /// Longer sides that samples are resized to, those of one epoch after those of another; empty: they keep their size.
  std::vector<int> epoch_sizes;
  bool whole_picture = false;  ///< labels are 1x1: a picture's class, which no step changes

  /// Only crop and normalise: semseg's validation during training (centre), or with crop 0 the bare picture.
  static TransformOptions center_crop(int crop_h, int crop_w);
  /// Throws Refusal for values that make no sense (empty ranges, probabilities outside [0, 1], ...).
  void validate() const;
};

/// A sample ready for the network.
struct Sample {
  int width = 0, height = 0;
  std::vector<float> image;     ///< [height, width, 3], normalised
  std::vector<int32_t> labels;  ///< [height, width], or one of the whole picture
};

/// The random chain RandScale -> RandRotate -> RandomGaussianBlur -> RandomHorizontalFlip -> Pad -> Crop -> ColorJitter
/// -> Resize -> Normalize. A pure function of its arguments: `index` is the sample's place in the data set. Throws
/// ShapeError if the label map has another size than the image, or for a whole picture than 1x1.
Sample augment(const Image& image, const LabelMap& labels, const TransformOptions& options, uint64_t seed,
               uint32_t epoch, uint32_t index);

}  // namespace giza::train
