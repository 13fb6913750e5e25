// The roofline picture of a profile.
#include "train/cost/roofline.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <vector>

#include "train/draw/svg.h"

namespace giza::train {
namespace {

constexpr double kWidth = 1080, kHeight = 700;
constexpr double kLeft = 80, kRight = 800, kTop = 84, kBottom = 620;  // of the plot
constexpr double kFont = 12, kGlyph = 6.6, kBold = 7.4;               // size of a label and width of its letters
constexpr double kDot = 10;                                           // width of the dot before a label
constexpr size_t kLabels = 14;
constexpr double kVisible = 1e-3;  // of the time: what is shorter is left out, and would only stretch the axes

/// Kinds of kernels by the beginning of their names, the first that fits; colours that colour-blind people can tell
/// apart (Okabe & Ito, 2008).
struct Kind {
  const char* prefix;
  const char* label;
  const char* color;
};
constexpr std::array<Kind, 8> kKinds = {{{"conv2d_backward_input", "convolution, input gradient", "#D55E00"},
                                         {"conv2d_backward_weight", "convolution, weight gradient", "#009E73"},
                                         {"conv", "convolution, forward", "#0072B2"},
                                         {"pyramid", "pyramid head", "#56B4E9"},
                                         {"batch_norm", "batch norm", "#CC79A7"},
                                         {"sgd", "weight update", "#000000"},
                                         {"accumulate", "gradient sums", "#999999"},
                                         {"", "pooling, resize, loss, others", "#E69F00"}}};

const Kind& kind_of(const std::string& kernel) {
  return *std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& kind) { return kernel.starts_with(kind.prefix); });
}

struct Box {
  double left, top, right, bottom;
  bool overlaps(const Box& other) const {
    return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
  }
};

/// The largest 1, 2 or 5 times a power of ten that is not above `value`.
double round_down(double value) {
  const double decade = std::pow(10, std::floor(std::log10(value)));
  return (value >= 5 * decade ? 5 : value >= 2 * decade ? 2 : 1) * decade;
}

struct Point {
  const ShapeRow* row;
  double x, y, direct_y, radius;
};

class Picture {
 public:
  Picture(const ProfileSummary& summary, const MachinePeak& peak, int threads)
      : summary_(summary), peak_(peak), threads_(threads) {
    const double bandwidth = WorkTotal::bandwidth(peak);
    double low_x = 0.2, high_x = 4 * peak.all_gflops / bandwidth;
    double low_y = peak.all_gflops / 100, high_y = peak.all_gflops * 1.4;
    for (const ShapeRow& row : summary.shapes) {
      if (row.total.executed <= 0 || row.total.seconds < kVisible * summary.attributed_s) continue;
      low_x = std::min(low_x, row.total.intensity() / 1.3);
      high_x = std::max(high_x, row.total.intensity() * 2);
      low_y = std::min(low_y, row.total.executed_gflops() / 1.3);
      const bool has_bar = &row < summary.shapes.data() + kLabels;
      high_y = std::max(high_y, 1.1 * (has_bar ? row.total.gflops() : row.total.executed_gflops()));
    }
    x_ = {round_down(low_x), 1 / round_down(1 / high_x), kLeft, kRight, true};
    y_ = {round_down(low_y), 1 / round_down(1 / high_y), kBottom, kTop, true};
    for (const ShapeRow& row : summary.shapes) {
      if (row.total.seconds <= 0) continue;
      if (row.total.executed <= 0) {
        without_arithmetic_.push_back(&row);
        continue;
      }
      const double share = row.total.seconds / summary.attributed_s;
      if (share < kVisible) continue;
      points_.push_back({&row, x_.at(row.total.intensity()), y_.at(row.total.executed_gflops()),
                         y_.at(row.total.gflops()), std::max(2.5, 45 * std::sqrt(share))});
    }
  }

  std::string draw(const RooflineText& text) {
    svg_ = {};
    svg_.raw(fmt::format(
        "<?xml version='1.0' encoding='UTF-8'?>\n<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {0} {1}' "
        "width='{0}' height='{1}' font-family='Helvetica, Arial, sans-serif' font-size='{2}'>\n"
        "<rect width='{0}' height='{1}' fill='#fff'/>\n",
        kWidth, kHeight, kFont));
    svg_.text(kLeft, 34, "font-size='18' font-weight='bold' fill='#111'", text.title);
    svg_.text(kLeft, 58, "fill='#444'", text.subtitle);
    draw_axes();
    draw_roofs();
    draw_points();
    draw_labels();
    draw_legend();
    return svg_.markup() + "</svg>\n";
  }

 private:
  void draw_axes() {
    // Lines and numbers at powers of ten, short marks between.
    const auto for_each_mark = [](const Axis& axis, const auto& body) {
      for (double decade = std::pow(10, std::floor(std::log10(axis.low))); decade <= axis.high; decade *= 10) {
        for (int step = 1; step < 10; ++step) {
          const double value = decade * step;
          if (value > axis.low * 0.999 && value < axis.high * 1.001) body(axis.at(value), value, step == 1);
        }
      }
    };
    for_each_mark(x_, [&](double place, double value, bool decade) {
      svg_.line(place, decade ? kTop : kBottom - 4, place, kBottom, decade ? "stroke='#ddd'" : "stroke='#999'");
      if (decade) svg_.text(place, kBottom + 18, "text-anchor='middle' fill='#444'", fmt::format("{:.5g}", value));
    });
    for_each_mark(y_, [&](double place, double value, bool decade) {
      svg_.line(kLeft, place, decade ? kRight : kLeft + 4, place, decade ? "stroke='#ddd'" : "stroke='#999'");
      if (decade) svg_.text(kLeft - 8, place + 4, "text-anchor='end' fill='#444'", fmt::format("{:.5g}", value));
    });
    svg_.rect(kLeft, kTop, kRight - kLeft, kBottom - kTop, "fill='none' stroke='#444'");
    svg_.text((kLeft + kRight) / 2, kBottom + 42, "text-anchor='middle' fill='#222'",
              "intensity: executed FLOP per byte of compulsory traffic");
    const double middle = (kTop + kBottom) / 2;
    svg_.raw(
        fmt::format("<text x='26' y='{0}' transform='rotate(-90 26 {0})' text-anchor='middle' fill='#222'>attained "
                    "GFLOP/s</text>\n",
                    middle));
  }

  // From where the slope leaves the lower edge to the ridge, then level.
  void draw_roof(double gflops, double gbs, const char* style) {
    const double first = std::max(x_.low, y_.low / gbs), ridge = gflops / gbs;
    svg_.line(x_.at(first), y_.at(first * gbs), x_.at(ridge), y_.at(gflops), style);
    svg_.line(x_.at(ridge), y_.at(gflops), kRight, y_.at(gflops), style);
  }

  // Words along a memory roof, from its lower end on.
  void write_on_slope(double gbs, double dy, const char* style, const std::string& text) {
    const double first = std::max(x_.low, y_.low / gbs), ridge = peak_.all_gflops / gbs;
    const double x = x_.at(first), y = y_.at(first * gbs);
    const double angle = std::atan2(y_.at(peak_.all_gflops) - y, x_.at(ridge) - x);
    svg_.raw(fmt::format(
        "<text x='{0:.1f}' y='{1:.1f}' dx='14' dy='{2}' transform='rotate({3:.2f} {0:.1f} {1:.1f})' {4}>{5}</text>\n",
        x, y, dy, angle * 180 / std::acos(-1), style, text));
    // Labels stay off the line and the words: small boxes along the way.
    for (double place = x; place < x_.at(ridge); place += 4) {
      const double level = y + (place - x) * std::tan(angle);
      const bool words = (place - x) / std::cos(angle) < 20 + kBold * static_cast<double>(text.size());
      const double above = words && dy < 0 ? 18 : 3, below = words && dy > 0 ? 18 : 3;
      taken_.push_back({place - above, level - above, place + below, level + below});
    }
  }

  void draw_roofs() {
    const double fast = WorkTotal::bandwidth(peak_), slow = std::min(peak_.copy_gbs, peak_.stream_gbs);
    const char* faint = "stroke='#888' stroke-dasharray='5 4'";
    draw_roof(peak_.all_gflops, slow, faint);
    if (threads_ > 1) {
      const double x = x_.at(peak_.core_gflops / fast), y = y_.at(peak_.core_gflops);
      svg_.line(x, y, kRight, y, faint);
      const std::string label = fmt::format("one core {:.0f} GFLOP/s", peak_.core_gflops);
      svg_.text(x + 12, y + 15, "fill='#666'", label);
      taken_.push_back({x, y, x + 14 + kGlyph * static_cast<double>(label.size()), y + 19});
    }
    draw_roof(peak_.all_gflops, fast, "stroke='#222' stroke-width='2'");
    const double level = y_.at(peak_.all_gflops), ridge = x_.at(peak_.all_gflops / fast);
    const std::string label =
        fmt::format("FMA peak {:.0f} GFLOP/s, {} thread{}", peak_.all_gflops, threads_, threads_ == 1 ? "" : "s");
    svg_.text(ridge, level - 8, "fill='#222' font-weight='bold'", label);
    taken_.push_back({ridge, level - 22, ridge + kBold * static_cast<double>(label.size()), level});
    for (double x = ridge; x < kRight; x += 10) taken_.push_back({x, level - 3, x + 10, level + 3});
    const bool streams = peak_.stream_gbs > peak_.copy_gbs;
    write_on_slope(fast, -7, "fill='#222' font-weight='bold'", fmt::format("memory {:.1f} GB/s", fast));
    write_on_slope(slow, 16, "fill='#666'",
                   fmt::format("{} stores {:.1f} GB/s", streams ? "plain" : "non-temporal", slow));
  }

  void draw_points() {
    // The largest first, so that none hides a smaller one.
    for (size_t i = 0; i < points_.size(); ++i) {
      const Point& point = points_[i];
      const WorkTotal& total = point.row->total;
      const Kind& kind = kind_of(point.row->kernel);
      if (i < kLabels && total.gflops() > 1.02 * total.executed_gflops()) {
        taken_.push_back({point.x - 4, point.direct_y - 2, point.x + 4, point.y});
        svg_.raw(fmt::format("<g stroke='{}' stroke-width='1.5'>", kind.color));
        svg_.line(point.x, point.y, point.x, point.direct_y, "");
        svg_.line(point.x - 4, point.direct_y, point.x + 4, point.direct_y, "");
        svg_.raw("</g>\n");
      }
      svg_.circle(point.x, point.y, point.radius,
                  fmt::format("fill='{}' fill-opacity='0.55' stroke='{}'", kind.color, kind.color),
                  fmt::format("{} {} {}\n{}\n{} calls, {:.2f} ms, {:.1f} GFLOP/s ({:.1f} executed), {:.1f} GB/s",
                              point.row->kernel, point.row->algorithm, point.row->shape, point.row->layers, total.calls,
                              total.seconds * 1e3, total.gflops(), total.executed_gflops(), total.gbs()));
    }
  }

  void draw_labels() {
    for (const Point& point : points_) {
      const double r = std::min(point.radius, 14.0);
      taken_.push_back({point.x - r, point.y - r, point.x + r, point.y + r});
    }
    for (size_t i = 0; i < std::min(kLabels, points_.size()); ++i) {
      const Point& point = points_[i];
      const int64_t calls = point.row->total.calls;
      const std::string label = point.row->layers + (calls > 1 ? fmt::format(" x{}", calls) : "");
      const double width = kDot + kGlyph * static_cast<double>(label.size());
      std::optional<Box> best;
      for (double distance = point.radius + 4; distance < 190 && !best; distance += 8) {
        for (int turn = 0; turn < 24 && !best; ++turn) {
          const double angle = turn * std::acos(-1) / 12, cx = point.x + distance * std::cos(angle);
          const double cy = point.y + distance * std::sin(angle);
          const double left = std::cos(angle) >= -0.01 ? cx : cx - width;
          const Box box{left - 2, cy - kFont * 0.6 - 1, left + width + 2, cy + kFont * 0.6 + 1};
          if (box.left < kLeft + 6 || box.right > kRight - 4 || box.top < kTop + 4 || box.bottom > kBottom - 6)
            continue;
          const bool free = std::none_of(taken_.begin(), taken_.end(), [&](const Box& b) { return b.overlaps(box); });
          if (free) best = box;
        }
      }
      if (!best) continue;
      const double cx = std::clamp(point.x, best->left, best->right), cy = std::clamp(point.y, best->top, best->bottom);
      svg_.line(point.x, point.y, cx, cy, "stroke='#666' stroke-width='0.6'");
      svg_.rect(best->left, best->top, best->right - best->left, best->bottom - best->top,
                "fill='#fff' fill-opacity='0.75'");
      const double level = (best->top + best->bottom) / 2;
      svg_.circle(best->left + 6, level, 3.5, fmt::format("fill='{}'", kind_of(point.row->kernel).color));
      svg_.text(best->left + 2 + kDot, level + 4, "fill='#111'", label);
      taken_.push_back(*best);
    }
  }

  void draw_legend() {
    const double left = kRight + 24;
    double y = kTop + 12;
    std::vector<std::pair<double, const Kind*>> times;
    for (const Kind& kind : kKinds) {
      double seconds = 0;
      for (const ShapeRow& row : summary_.shapes) {
        if (&kind_of(row.kernel) == &kind) seconds += row.total.seconds;
      }
      times.emplace_back(seconds, &kind);
    }
    std::stable_sort(times.begin(), times.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    for (const auto& [seconds, kind] : times) {
      if (seconds <= 0) continue;
      svg_.circle(left + 6, y - 4, 6,
                  fmt::format("fill='{}' fill-opacity='0.55' stroke='{}'", kind->color, kind->color));
      svg_.text(left + 20, y, "fill='#222'", kind->label);
      svg_.text(left + 20, y + 15, "fill='#666'",
                fmt::format("{:.1f} ms, {:.1f} %", seconds * 1e3, 100 * seconds / summary_.wall_s));
      y += 38;
    }
    y += 8;
    for (const char* line :
         {"circle: a kernel on one shape,", "its area the time; * stands for", "any part of a layer's name,",
          "x3 for three calls in a step", "", "bar above: direct-equivalent", "GFLOP/s of an algorithm that",
          "needs fewer operations", "", "above the memory roof: data", "that stays in the caches"}) {
      svg_.text(left, y, "fill='#666'", line);
      y += *line == '\0' ? 6 : 16;
    }
    double moved = 0;
    for (const ShapeRow* row : without_arithmetic_) moved += row->total.seconds;
    if (moved > 0) {
      y += 10;
      svg_.text(left, y, "fill='#666'", fmt::format("not shown, without arithmetic: {:.1f} ms", moved * 1e3));
    }
    svg_.text(left, y + 18, "fill='#666'", fmt::format("unattributed: {:.1f} ms", summary_.unattributed_s() * 1e3));
  }

  const ProfileSummary& summary_;
  const MachinePeak& peak_;
  int threads_;
  Axis x_{}, y_{};
  std::vector<Point> points_;
  std::vector<const ShapeRow*> without_arithmetic_;
  std::vector<Box> taken_;
  Svg svg_;
};

}  // namespace

std::string roofline_svg(const ProfileSummary& summary, const MachinePeak& peak, int threads,
                         const RooflineText& text) {
  return Picture(summary, peak, threads).draw(text);
}

}  // namespace giza::train
