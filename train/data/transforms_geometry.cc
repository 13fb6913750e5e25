// Resizing and rotation with OpenCV's arithmetic (4.x: imgproc/src/resize.cpp and imgwarp.cpp).
#include <algorithm>
#include <cmath>
#include <numbers>

#include "tensor/base/check.h"
#include "tensor/elementary.h"
#include "train/data/transforms.h"

namespace giza::train {
namespace {

/// Where an output coordinate falls in the source: between `first` and `second`, `weight` of the way.
struct Tap {
  int first, second;
  float weight;
};

/// The taps of one axis; `step` is source pixels per output pixel. OpenCV rounds the position to float: so do we.
std::vector<Tap> linear_taps(int source, int target, double step) {
  std::vector<Tap> taps(static_cast<size_t>(target));
  for (int i = 0; i < target; ++i) {
    const auto position = static_cast<float>((i + 0.5) * step - 0.5);
    const float floor = std::floor(position);
    const int first = static_cast<int>(floor);
    Tap& tap = taps[static_cast<size_t>(i)];
    tap.first = std::clamp(first, 0, source - 1);
    tap.second = std::clamp(first + 1, 0, source - 1);
    tap.weight = position - floor;
  }
  return taps;
}

/// One source row at the output's width.
template <class T>
void interpolate_row(const T* source, const std::vector<Tap>& taps, float* out) {
  for (const Tap& tap : taps) {
    const T* a = source + static_cast<ptrdiff_t>(tap.first) * 3;
    const T* b = source + static_cast<ptrdiff_t>(tap.second) * 3;
    const float weight_b = tap.weight;
    const float weight_a = 1 - weight_b;
    out[0] = static_cast<float>(a[0]) * weight_a + static_cast<float>(b[0]) * weight_b;
    out[1] = static_cast<float>(a[1]) * weight_a + static_cast<float>(b[1]) * weight_b;
    out[2] = static_cast<float>(a[2]) * weight_a + static_cast<float>(b[2]) * weight_b;
    out += 3;
  }
}

void check_sizes(int source_width, int source_height, int width, int height) {
  check(source_width > 0 && source_height > 0 && width > 0 && height > 0, "resize: from {} x {} to {} x {} pixels",
        source_width, source_height, width, height);
  check<Refusal>(static_cast<int64_t>(width) * height <= kMaxPixels,
                 "resize: from {} x {} to {} x {} pixels, at most {} are accepted; use a smaller scale", source_width,
                 source_height, width, height, kMaxPixels);
}

/// Rows of `source` are source_width * 3 values apart. Columns first, on two rows that are kept, then between the rows.
template <class T>
FloatImage linear(const T* source, int source_width, int source_height, int width, int height, double step_x,
                  double step_y) {
  check_sizes(source_width, source_height, width, height);
  const std::vector<Tap> columns = linear_taps(source_width, width, step_x);
  const std::vector<Tap> rows = linear_taps(source_height, height, step_y);
  FloatImage out(width, height);
  const size_t values = static_cast<size_t>(width) * 3;
  std::vector<float> buffer(values * 2);
  float* kept[2] = {buffer.data(), buffer.data() + values};
  int held[2] = {-1, -1};  // Source rows that `kept` holds.
  const auto fetch = [&](int slot, int y) {
    if (held[slot] == y) return;
    interpolate_row(source + static_cast<ptrdiff_t>(y) * source_width * 3, columns, kept[slot]);
    held[slot] = y;
  };
  for (int y = 0; y < height; ++y) {
    const Tap& tap = rows[static_cast<size_t>(y)];
    if (held[1] == tap.first) {  // The lower row becomes the upper one.
      std::swap(kept[0], kept[1]);
      std::swap(held[0], held[1]);
    }
    fetch(0, tap.first);
    fetch(1, tap.second);
    const float weight_b = tap.weight;
    const float weight_a = 1 - weight_b;
    const float* a = kept[0];
    const float* b = kept[1];
    float* result = out.row(y);
    for (size_t i = 0; i < values; ++i) result[i] = a[i] * weight_a + b[i] * weight_b;
  }
  return out;
}

LabelMap nearest(const LabelMap& labels, int width, int height, double step_x, double step_y) {
  check_sizes(labels.width, labels.height, width, height);
  const auto pick = [](int i, double step, int size) { return std::min(static_cast<int>(i * step), size - 1); };
  std::vector<int> columns(static_cast<size_t>(width));
  for (int x = 0; x < width; ++x) columns[static_cast<size_t>(x)] = pick(x, step_x, labels.width);
  LabelMap out(width, height);
  uint8_t* result = out.index.data();
  for (int y = 0; y < height; ++y) {
    const uint8_t* source =
        &labels.index[static_cast<size_t>(pick(y, step_y, labels.height)) * static_cast<size_t>(labels.width)];
    for (const int x : columns) *result++ = source[x];
  }
  return out;
}

constexpr int kFractionBits = 10;  // Of source coordinates.
constexpr int kWeightBits = 5;     // Of interpolation weights: OpenCV's warps know 32 positions between two pixels.
constexpr int kWeightSteps = 1 << kWeightBits;

/// Source coordinates of a rotation's output pixels, in fixed point as cv2.warpAffine computes them.
class Rotation {
 public:
  /// cv2.getRotationMatrix2D((width/2, height/2), degrees, 1), inverted as cv2.warpAffine does it.
  Rotation(int width, int height, double degrees) {
    const double angle = degrees * std::numbers::pi / 180;
    const double cosine = portable_cos(angle);
    const double sine = portable_sin(angle);
    const double center_x = width / 2.0;
    const double center_y = height / 2.0;
    const double offset_x = (1 - cosine) * center_x - sine * center_y;
    const double offset_y = sine * center_x + (1 - cosine) * center_y;
    const double scale = 1 / (cosine * cosine + sine * sine);
    xx_ = cosine * scale;
    xy_ = -sine * scale;
    yx_ = sine * scale;
    yy_ = cosine * scale;
    x0_ = -xx_ * offset_x - xy_ * offset_y;
    y0_ = -yx_ * offset_x - yy_ * offset_y;
    for (int x = 0; x < width; ++x) columns_.push_back({fixed(xx_ * x), fixed(yx_ * x)});
  }

  struct Point {
    int64_t x, y;
  };
  /// The part of the coordinates that is the same along an output row, with what rounds the lower bits away.
  Point row(int y, int dropped_bits) const {
    const int64_t half = (int64_t{1} << dropped_bits) / 2;
    return {fixed(xy_ * y + x0_) + half, fixed(yy_ * y + y0_) + half};
  }
  /// The part that is the same along an output column.
  const std::vector<Point>& columns() const { return columns_; }

 private:
  static int64_t fixed(double value) { return std::llrint(value * (1 << kFractionBits)); }

  double xx_, xy_, x0_, yx_, yy_, y0_;
  std::vector<Point> columns_;
};

}  // namespace

int scaled_side(int side, double factor) {
  const double scaled = std::nearbyint(side * factor);
  check<Refusal>(scaled <= static_cast<double>(kMaxPixels), "resize: a side of {} pixels times {} is too large", side,
                 factor);
  return std::max(1, static_cast<int>(scaled));
}

FloatImage scale_linear(const Image& image, double factor) {
  return linear(image.rgb.data(), image.width, image.height, scaled_side(image.width, factor),
                scaled_side(image.height, factor), 1 / factor, 1 / factor);
}

FloatImage scale_linear(const FloatImage& image, double factor) {
  return linear(image.rgb.data(), image.width, image.height, scaled_side(image.width, factor),
                scaled_side(image.height, factor), 1 / factor, 1 / factor);
}

LabelMap scale_nearest(const LabelMap& labels, double factor) {
  return nearest(labels, scaled_side(labels.width, factor), scaled_side(labels.height, factor), 1 / factor, 1 / factor);
}

FloatImage resize_linear(const Image& image, int width, int height) {
  return linear(image.rgb.data(), image.width, image.height, width, height, static_cast<double>(image.width) / width,
                static_cast<double>(image.height) / height);
}

FloatImage resize_linear(const FloatImage& image, int width, int height) {
  return linear(image.rgb.data(), image.width, image.height, width, height, static_cast<double>(image.width) / width,
                static_cast<double>(image.height) / height);
}

LabelMap resize_nearest(const LabelMap& labels, int width, int height) {
  return nearest(labels, width, height, static_cast<double>(labels.width) / width,
                 static_cast<double>(labels.height) / height);
}

FloatImage rotate_linear(const FloatImage& image, double degrees, const Rgb& fill) {
  const Rotation rotation(image.width, image.height, degrees);
  FloatImage out(image.width, image.height);
  const int64_t width = image.width;
  const int64_t height = image.height;
  const float* source = image.rgb.data();
  float* result = out.rgb.data();
  for (int y = 0; y < image.height; ++y) {
    const Rotation::Point row = rotation.row(y, kFractionBits - kWeightBits);
    for (const Rotation::Point& column : rotation.columns()) {
      const int64_t fine_x = (row.x + column.x) >> (kFractionBits - kWeightBits);
      const int64_t fine_y = (row.y + column.y) >> (kFractionBits - kWeightBits);
      const int64_t left = fine_x >> kWeightBits;
      const int64_t top = fine_y >> kWeightBits;
      const float right_weight = static_cast<float>(fine_x & (kWeightSteps - 1)) * (1.0F / kWeightSteps);
      const float lower_weight = static_cast<float>(fine_y & (kWeightSteps - 1)) * (1.0F / kWeightSteps);
      const float w00 = (1 - lower_weight) * (1 - right_weight);
      const float w01 = (1 - lower_weight) * right_weight;
      const float w10 = lower_weight * (1 - right_weight);
      const float w11 = lower_weight * right_weight;
      const float* p00 = fill.data();
      const float* p01 = p00;
      const float* p10 = p00;
      const float* p11 = p00;
      if (left >= 0 && left + 1 < width && top >= 0 && top + 1 < height) [[likely]] {
        p00 = source + (top * width + left) * 3;
        p01 = p00 + 3;
        p10 = p00 + width * 3;
        p11 = p10 + 3;
      } else {
        const auto pixel = [&](int64_t px, int64_t py) {
          const bool inside = px >= 0 && px < width && py >= 0 && py < height;
          return inside ? source + (py * width + px) * 3 : fill.data();
        };
        p00 = pixel(left, top);
        p01 = pixel(left + 1, top);
        p10 = pixel(left, top + 1);
        p11 = pixel(left + 1, top + 1);
      }
      for (int c = 0; c < 3; ++c) result[c] = p00[c] * w00 + p01[c] * w01 + p10[c] * w10 + p11[c] * w11;
      result += 3;
    }
  }
  return out;
}

LabelMap rotate_nearest(const LabelMap& labels, double degrees, uint8_t fill) {
  const Rotation rotation(labels.width, labels.height, degrees);
  LabelMap out(labels.width, labels.height);
  const int64_t width = labels.width;
  uint8_t* result = out.index.data();
  for (int y = 0; y < labels.height; ++y) {
    const Rotation::Point row = rotation.row(y, kFractionBits);
    for (const Rotation::Point& column : rotation.columns()) {
      const int64_t px = (row.x + column.x) >> kFractionBits;
      const int64_t py = (row.y + column.y) >> kFractionBits;
      const bool inside = px >= 0 && px < width && py >= 0 && py < labels.height;
      *result++ = inside ? labels.index[static_cast<size_t>(py * width + px)] : fill;
    }
  }
  return out;
}

}  // namespace giza::train
