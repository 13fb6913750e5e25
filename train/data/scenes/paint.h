// Painting primitives of the scenes: a canvas with colours and labels, and shapes filled by a shader. Integers only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace giza::train::scenes {

/// A colour while painting; channels may leave [0, 255] until they are stored.
struct Rgb {
  int r = 0, g = 0, b = 0;
};

/// a + (b - a) * t / 256.
inline Rgb mix(Rgb a, Rgb b, int t) {
  return {a.r + (b.r - a.r) * t / 256, a.g + (b.g - a.g) * t / 256, a.b + (b.b - a.b) * t / 256};
}
/// Brightness times t / 256.
inline Rgb shade(Rgb a, int t) { return {a.r * t / 256, a.g * t / 256, a.b * t / 256}; }
inline Rgb add(Rgb a, int d) { return {a.r + d, a.g + d, a.b + d}; }

/// Length in canvas pixels; `unit16` is the sixteenths of a canvas pixel in a unit. A unit is about a hundredth of the
/// picture's height.
inline int units(int length, int unit16) { return length * unit16 / 16; }

struct Point {
  int x = 0, y = 0;
};

/// Colours and labels on a grid twice as fine as the picture (so that edges come out smooth). Painting outside of the
/// grid or of the columns [clip_left, clip_right) does nothing: the clip is what keeps the evidence in its place.
class Canvas {
 public:
  Canvas(int width, int height)
      : clip_right(width),
        width_(width),
        height_(height),
        rgb_(static_cast<size_t>(width) * static_cast<size_t>(height) * 3),
        label_(static_cast<size_t>(width) * static_cast<size_t>(height)) {}

  int width() const { return width_; }
  int height() const { return height_; }

  /// Colours [x0, x1) of row y by shader(x, y) -> Rgb.
  template <class Shader>
  void fill_span(int x0, int x1, int y, uint8_t label, const Shader& shader) {
    if (y < 0 || y >= height_) return;
    x0 = std::max(x0, clip_left);
    x1 = std::min(x1, clip_right);
    const size_t row = static_cast<size_t>(y) * static_cast<size_t>(width_);
    for (int x = x0; x < x1; ++x) {
      const Rgb c = shader(x, y);
      uint8_t* p = &rgb_[(row + static_cast<size_t>(x)) * 3];
      p[0] = static_cast<uint8_t>(std::clamp(c.r, 0, 255));
      p[1] = static_cast<uint8_t>(std::clamp(c.g, 0, 255));
      p[2] = static_cast<uint8_t>(std::clamp(c.b, 0, 255));
      label_[row + static_cast<size_t>(x)] = label;
    }
  }

  const uint8_t* color(int x, int y) const { return &rgb_[(index(x, y)) * 3]; }
  uint8_t label(int x, int y) const { return label_[index(x, y)]; }

  int clip_left = 0, clip_right;

 private:
  size_t index(int x, int y) const {
    return static_cast<size_t>(y) * static_cast<size_t>(width_) + static_cast<size_t>(x);
  }

  int width_, height_;
  std::vector<uint8_t> rgb_, label_;
};

/// Columns [x0, x1), rows [y0, y1).
template <class Shader>
void fill_rect(Canvas& canvas, int x0, int y0, int x1, int y1, uint8_t label, const Shader& shader) {
  y1 = std::min(y1, canvas.height());
  for (int y = std::max(y0, 0); y < y1; ++y) canvas.fill_span(x0, x1, y, label, shader);
}

/// Inside of a closed polygon by the even-odd rule at pixel centres; any winding, at most 16 corners.
template <class Shader>
void fill_polygon(Canvas& canvas, const std::vector<Point>& points, uint8_t label, const Shader& shader) {
  int y0 = canvas.height(), y1 = 0;
  for (const Point& p : points) {
    y0 = std::min(y0, p.y);
    y1 = std::max(y1, p.y);
  }
  y1 = std::min(y1, canvas.height());
  for (int y = std::max(y0, 0); y < y1; ++y) {
    int crossings[16], count = 0;
    for (size_t i = 0; i < points.size(); ++i) {
      const Point a = points[i], b = points[(i + 1) % points.size()];
      if ((a.y <= y) == (b.y <= y)) continue;
      // x where the edge meets the row's centre, rounded the same way for both directions of the edge.
      const Point& low = a.y < b.y ? a : b;
      const Point& high = a.y < b.y ? b : a;
      crossings[count++] = low.x + (high.x - low.x) * (2 * (y - low.y) + 1) / (2 * (high.y - low.y));
    }
    std::sort(crossings, crossings + count);
    for (int i = 0; i + 1 < count; i += 2) canvas.fill_span(crossings[i], crossings[i + 1], y, label, shader);
  }
}

/// Ellipse around (cx, cy) with half axes rx, ry.
template <class Shader>
void fill_ellipse(Canvas& canvas, int cx, int cy, int rx, int ry, uint8_t label, const Shader& shader) {
  if (rx <= 0 || ry <= 0) return;
  const int64_t limit = static_cast<int64_t>(rx) * rx * ry * ry;
  int half = 0;  // half width of the row; grows towards the middle, then shrinks
  for (int y = -ry; y <= ry; ++y) {
    const auto inside = [&](int64_t x) { return x * x * ry * ry + static_cast<int64_t>(y) * y * rx * rx <= limit; };
    while (half < rx && inside(half + 1)) ++half;
    while (half > 0 && !inside(half)) --half;
    canvas.fill_span(cx - half, cx + half + 1, cy + y, label, shader);
  }
}

/// Everything below a ridge: rows from ridge[x] to `bottom` of each column.
template <class Shader>
void fill_below(Canvas& canvas, const std::vector<int>& ridge, int bottom, uint8_t label, const Shader& shader) {
  const int top = *std::min_element(ridge.begin(), ridge.end());
  bottom = std::min(bottom, canvas.height());
  for (int y = std::max(top, 0); y < bottom; ++y) {
    for (int x = canvas.clip_left; x < canvas.clip_right;) {
      int end = x;
      while (end < canvas.clip_right && ridge[static_cast<size_t>(end)] <= y) ++end;
      canvas.fill_span(x, end, y, label, shader);
      x = end + 1;
    }
  }
}

}  // namespace giza::train::scenes
