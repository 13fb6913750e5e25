// Augmentation of training pictures: the steps that keep pixels in place, and the random chain.
#include "train/data/transforms.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "tensor/base/check.h"
#include "tensor/random.h"

namespace giza::train {
namespace {

/// Index i of an axis of n pixels mirrored without repeating the edge (cv2.BORDER_REFLECT_101): -1 -> 1, n -> n - 2.
int mirror(int i, int n) {
  if (n == 1) return 0;
  while (i < 0 || i >= n) i = i < 0 ? -i : 2 * (n - 1) - i;
  return i;
}

/// Copies the part of `source` that falls into a canvas of the given size when its corner is put at (x, y).
template <class T>
void paste(const std::vector<T>& source, int source_width, int source_height, int channels, int x, int y,
           std::vector<T>& out, int width, int height) {
  const int first_x = std::max(0, -x);
  const int last_x = std::min(source_width, width - x);
  const int first_y = std::max(0, -y);
  const int last_y = std::min(source_height, height - y);
  for (int row = first_y; row < last_y; ++row) {
    const T* from = source.data() + (static_cast<ptrdiff_t>(row) * source_width + first_x) * channels;
    T* to = out.data() + (static_cast<ptrdiff_t>(row + y) * width + first_x + x) * channels;
    std::copy_n(from, static_cast<ptrdiff_t>(last_x - first_x) * channels, to);
  }
}

void check_window(int source_width, int source_height, int x, int y, int width, int height) {
  check(x >= 0 && y >= 0 && width > 0 && height > 0 && x <= source_width - width && y <= source_height - height,
        "crop: a window of {} x {} at ({}, {}) does not fit into {} x {} pixels", width, height, x, y, source_width,
        source_height);
}

bool in_unit_range(double value) { return value >= 0 && value <= 1; }

}  // namespace

FloatImage to_float(const Image& image) {
  FloatImage out(image.width, image.height);
  std::transform(image.rgb.begin(), image.rgb.end(), out.rgb.begin(),
                 [](uint8_t value) { return static_cast<float>(value); });
  return out;
}

FloatImage gaussian_blur(const FloatImage& image) {
  FloatImage out(image.width, image.height);
  if (image.width == 0 || image.height == 0) return out;
  const size_t values = static_cast<size_t>(image.width) * 3;
  constexpr size_t kMargin = 2 * 3;
  std::vector<float> sums(values + 2 * kMargin);  // A row summed over five rows, with two mirrored pixels at each end.
  float* middle = sums.data() + kMargin;
  for (int y = 0; y < image.height; ++y) {
    const float* above2 = image.row(mirror(y - 2, image.height));
    const float* above1 = image.row(mirror(y - 1, image.height));
    const float* here = image.row(y);
    const float* below1 = image.row(mirror(y + 1, image.height));
    const float* below2 = image.row(mirror(y + 2, image.height));
    for (size_t i = 0; i < values; ++i) {
      middle[i] = (above2[i] + below2[i]) + 4 * (above1[i] + below1[i]) + 6 * here[i];
    }
    for (const int x : {-2, -1, image.width, image.width + 1}) {
      std::copy_n(middle + static_cast<ptrdiff_t>(mirror(x, image.width)) * 3, 3,
                  middle + static_cast<ptrdiff_t>(x) * 3);
    }
    const float* left2 = sums.data();
    float* result = out.row(y);
    for (size_t i = 0; i < values; ++i) {
      result[i] = ((left2[i] + left2[i + 12]) + 4 * (left2[i + 3] + left2[i + 9]) + 6 * left2[i + 6]) * (1.0F / 256.0F);
    }
  }
  return out;
}

void flip_horizontal(FloatImage& image) {
  for (int y = 0; y < image.height; ++y) {
    float* row = image.row(y);
    for (int left = 0, right = image.width - 1; left < right; ++left, --right) {
      std::swap_ranges(row + static_cast<ptrdiff_t>(left) * 3, row + static_cast<ptrdiff_t>(left) * 3 + 3,
                       row + static_cast<ptrdiff_t>(right) * 3);
    }
  }
}

void flip_horizontal(LabelMap& labels) {
  for (int y = 0; y < labels.height; ++y) {
    const auto row = labels.index.begin() + static_cast<ptrdiff_t>(y) * labels.width;
    std::reverse(row, row + labels.width);
  }
}

FloatImage pad_to(const FloatImage& image, int width, int height, const Rgb& fill) {
  FloatImage out(std::max(width, image.width), std::max(height, image.height));
  for (size_t i = 0; i < out.rgb.size(); i += 3)
    std::copy(fill.begin(), fill.end(), out.rgb.begin() + static_cast<ptrdiff_t>(i));
  paste(image.rgb, image.width, image.height, 3, (out.width - image.width) / 2, (out.height - image.height) / 2,
        out.rgb, out.width, out.height);
  return out;
}

LabelMap pad_to(const LabelMap& labels, int width, int height, uint8_t fill) {
  LabelMap out(std::max(width, labels.width), std::max(height, labels.height), fill);
  paste(labels.index, labels.width, labels.height, 1, (out.width - labels.width) / 2, (out.height - labels.height) / 2,
        out.index, out.width, out.height);
  return out;
}

FloatImage crop(const FloatImage& image, int x, int y, int width, int height) {
  check_window(image.width, image.height, x, y, width, height);
  FloatImage out(width, height);
  paste(image.rgb, image.width, image.height, 3, -x, -y, out.rgb, width, height);
  return out;
}

LabelMap crop(const LabelMap& labels, int x, int y, int width, int height) {
  check_window(labels.width, labels.height, x, y, width, height);
  LabelMap out(width, height);
  paste(labels.index, labels.width, labels.height, 1, -x, -y, out.index, width, height);
  return out;
}

void normalize(FloatImage& image, const Rgb& mean, const Rgb& std) {
  float* value = image.rgb.data();
  for (const float* end = value + image.rgb.size(); value != end; value += 3) {
    for (size_t c = 0; c < 3; ++c) value[c] = (value[c] - mean[c]) / std[c];
  }
}

TransformOptions TransformOptions::center_crop(int crop_h, int crop_w) {
  TransformOptions options;
  options.scale_min = options.scale_max = 1;
  options.rotate_min = options.rotate_max = 0;
  options.rotate_probability = options.blur_probability = options.flip_probability = 0;
  options.crop_h = crop_h;
  options.crop_w = crop_w;
  options.crop_type = CropType::center;
  return options;
}

void TransformOptions::validate() const {
  check<Refusal>(scale_min > 0 && scale_min <= scale_max && scale_max <= 64,
                 "transforms: scale from {} to {}, expected 0 < scale_min <= scale_max <= 64", scale_min, scale_max);
  check<Refusal>(rotate_min <= rotate_max && rotate_min >= -360 && rotate_max <= 360,
                 "transforms: rotation from {} to {} degrees, expected -360 <= rotate_min <= rotate_max <= 360",
                 rotate_min, rotate_max);
  check<Refusal>(
      in_unit_range(rotate_probability) && in_unit_range(blur_probability) && in_unit_range(flip_probability),
      "transforms: probabilities {} (rotate), {} (blur), {} (flip), expected 0 to 1", rotate_probability,
      blur_probability, flip_probability);
  color_jitter.validate();
  const bool crops = crop_h > 0 && crop_w > 0;
  check<Refusal>((crops && static_cast<int64_t>(crop_h) * crop_w <= kMaxPixels) || (crop_h == 0 && crop_w == 0),
                 "transforms: a crop of {} x {}, expected both sides positive, or both 0 for none", crop_h, crop_w);
  check<Refusal>(pad >= 0 && pad <= 16384, "transforms: a margin of {} pixels, expected 0 to 16384", pad);
  check<Refusal>(
      std::all_of(epoch_sizes.begin(), epoch_sizes.end(), [](int side) { return side >= 1 && side <= 16384; }),
      "transforms: sizes of the epochs [{}], expected 1 to 16384", fmt::join(epoch_sizes, ", "));
  for (size_t c = 0; c < 3; ++c) {
    check<Refusal>(std::isfinite(mean[c]) && std::isfinite(std[c]) && std[c] > 0,
                   "transforms: mean {} and std {} of channel {}, expected finite numbers, std above 0", mean[c],
                   std[c], c);
  }
  check<Refusal>(ignore_label >= 0 && ignore_label <= 255, "transforms: ignore label {}, expected 0 to 255",
                 ignore_label);
}

PictureSize scaled_size(int width, int height, int long_side) {
  // semseg: round(long_side / float(h) * w); nearbyint rounds half to even as Python does.
  const auto other = [&](int longer, int shorter) {
    return std::max(1, static_cast<int>(std::nearbyint(static_cast<double>(long_side) / longer * shorter)));
  };
  if (height > width) return {other(height, width), long_side};
  return {long_side, other(width, height)};
}

Sample augment(const Image& image, const LabelMap& labels, const TransformOptions& options, uint64_t seed,
               uint32_t epoch, uint32_t index) {
  const PictureSize labelled = options.whole_picture ? PictureSize{1, 1} : PictureSize{image.width, image.height};
  check(labelled.width == labels.width && labelled.height == labels.height,
        "augment: the picture is {} x {}, its labels are {} x {}{}", image.width, image.height, labels.width,
        labels.height, options.whole_picture ? ", expected one label" : "");
  const auto random = [&](Purpose purpose) { return Random(seed, purpose, epoch, index); };
  const auto between = [](Random& draws, double low, double high) {
    return low + (high - low) * static_cast<double>(draws.next_uniform());
  };
  const auto ignore = static_cast<uint8_t>(options.ignore_label);
  FloatImage picture;
  LabelMap classes = labels;
  // The class of a whole picture stays what it is, whatever becomes of the pixels.
  const auto change_labels = [&](const auto& change) {
    if (!options.whole_picture) classes = change(classes);
  };

  Random scale_draws = random(Purpose::scale);
  const double factor = between(scale_draws, options.scale_min, options.scale_max);
  if (factor == 1) {
    picture = to_float(image);
  } else {
    picture = scale_linear(image, factor);
    change_labels([&](const LabelMap& map) { return scale_nearest(map, factor); });
  }

  Random rotate_draws = random(Purpose::rotate);
  if (static_cast<double>(rotate_draws.next_uniform()) < options.rotate_probability) {
    const double degrees = between(rotate_draws, options.rotate_min, options.rotate_max);
    if (degrees != 0) {
      picture = rotate_linear(picture, degrees, options.mean);
      change_labels([&](const LabelMap& map) { return rotate_nearest(map, degrees, ignore); });
    }
  }
  if (static_cast<double>(random(Purpose::blur).next_uniform()) < options.blur_probability) {
    picture = gaussian_blur(picture);
  }
  if (static_cast<double>(random(Purpose::flip).next_uniform()) < options.flip_probability) {
    flip_horizontal(picture);
    if (!options.whole_picture) flip_horizontal(classes);
  }
  const auto grow = [&](int width, int height) {
    picture = pad_to(picture, width, height, options.mean);
    change_labels([&](const LabelMap& map) { return pad_to(map, width, height, ignore); });
  };
  if (options.pad > 0) grow(picture.width + 2 * options.pad, picture.height + 2 * options.pad);
  if (options.crop_h > 0) {
    if (picture.width < options.crop_w || picture.height < options.crop_h) grow(options.crop_w, options.crop_h);
    const int slack_x = picture.width - options.crop_w;
    const int slack_y = picture.height - options.crop_h;
    int x = slack_x / 2;
    int y = slack_y / 2;
    if (options.crop_type == CropType::random) {
      Random crop_draws = random(Purpose::crop);
      y = static_cast<int>(crop_draws.next_below(static_cast<uint32_t>(slack_y) + 1));
      x = static_cast<int>(crop_draws.next_below(static_cast<uint32_t>(slack_x) + 1));
    }
    picture = crop(picture, x, y, options.crop_w, options.crop_h);
    change_labels([&](const LabelMap& map) { return crop(map, x, y, options.crop_w, options.crop_h); });
  }
  if (!options.color_jitter.off()) jitter_colors(picture, options.color_jitter, random(Purpose::color));
  if (!options.epoch_sizes.empty()) {
    const int side = options.epoch_sizes[epoch % options.epoch_sizes.size()];
    const PictureSize size = scaled_size(picture.width, picture.height, side);
    if (size.width != picture.width || size.height != picture.height) {
      picture = resize_linear(picture, size.width, size.height);
      change_labels([&](const LabelMap& map) { return resize_nearest(map, size.width, size.height); });
    }
  }
  normalize(picture, options.mean, options.std);

  Sample sample;
  sample.width = picture.width;
  sample.height = picture.height;
  sample.image = std::move(picture.rgb);
  sample.labels.assign(classes.index.begin(), classes.index.end());
  return sample;
}

}  // namespace giza::train
