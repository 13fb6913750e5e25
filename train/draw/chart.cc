// Charts of reports as SVG inside HTML.
#include "train/draw/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "tensor/base/check.h"
#include "tensor/base/text.h"
#include "train/draw/svg.h"

namespace giza::train {
namespace {

constexpr size_t kPoints = 360;  // of a curve: more than its pixels would not be seen
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Layout {
  const char* name;  // class of the picture
  double width, height, left, right, top, bottom;
  int x_marks, y_marks;
};
constexpr Layout kWide{"wide", 560, 280, 50, 548, 30, 236, 7, 5};
constexpr Layout kNarrow{"narrow", 360, 270, 46, 348, 30, 226, 4, 5};

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void add(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
};

std::string mark_text(double value, bool percent) { return percent ? short_number(value * 100) : short_number(value); }

/// The frame around the curves: lines and numbers of both axes, and what they count.
void draw_axes(Svg& svg, const Layout& layout, const Axis& x, const Axis& y, bool percent_x, bool percent_y,
               const std::string& x_label, const std::string& y_label) {
  for (const double value : axis_marks(y, layout.y_marks)) {
    const double place = y.at(value);
    svg.line(layout.left, place, layout.right, place, "class='grid'");
    svg.text(layout.left - 7, place + 4, "class='tick' text-anchor='end'", mark_text(value, percent_y));
  }
  for (const double value : axis_marks(x, layout.x_marks)) {
    const double place = x.at(value);
    svg.line(place, layout.bottom, place, layout.bottom + 4, "class='axis'");
    svg.text(place, layout.bottom + 18, "class='tick' text-anchor='middle'", mark_text(value, percent_x));
  }
  svg.line(layout.left, layout.bottom, layout.right, layout.bottom, "class='axis'");
  svg.text(0, 14, "class='label'", y_label);
  svg.text(layout.right, layout.bottom + 36, "class='label' text-anchor='end'", x_label);
}

/// The svg element; `attributes` are its class and its size.
std::string picture(const std::string& attributes, const std::string& label, const Svg& svg,
                    const std::string& more = {}) {
  return fmt::format("<svg {} role='img' aria-label=\"{}\"{}>\n{}</svg>\n", attributes, escape_markup(label), more,
                     svg.markup());
}

std::string attributes_of(const Layout& layout) {
  return fmt::format("class='{}' viewBox='0 0 {} {}'", layout.name, layout.width, layout.height);
}

/// The finite stretches of a curve.
std::string curve_path(const Series& series, const Axis& x, const Axis& y) {
  std::string path;
  bool pen_down = false;
  for (size_t i = 0; i < series.x.size(); ++i) {
    const bool finite = std::isfinite(series.x[i]) && std::isfinite(series.y[i]);
    if (finite) path += fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", x.at(series.x[i]), y.at(series.y[i]));
    pen_down = finite;
  }
  return path;
}

/// The area between a curve's extremes, where it has any.
std::string band_path(const Series& series, const Axis& x, const Axis& y) {
  std::string forth, back;
  for (size_t i = 0; i < series.low.size(); ++i) {
    if (!std::isfinite(series.low[i]) || !std::isfinite(series.high[i])) continue;
    const double place = x.at(series.x[i]);
    forth += fmt::format("{}{:.1f} {:.1f}", forth.empty() ? "M" : "L", place, y.at(series.high[i]));
    back.insert(0, fmt::format("L{:.1f} {:.1f}", place, y.at(series.low[i])));
  }
  return forth.empty() ? "" : forth + back + "Z";
}

size_t finite_values(const Series& series) {
  return static_cast<size_t>(
      std::count_if(series.y.begin(), series.y.end(), [](double value) { return std::isfinite(value); }));
}

void draw_curve(Svg& svg, const Series& mean, size_t number, const Axis& x, const Axis& y) {
  if (const std::string band = band_path(mean, x, y); !band.empty()) {
    svg.path(band, fmt::format("class='band s{}'", number));
  }
  svg.path(curve_path(mean, x, y), fmt::format("class='curve s{}'", number));
  // Dots show where few values stand, and values alone between gaps, which have no line.
  const bool few = finite_values(mean) <= 40;
  for (size_t i = 0; i < mean.x.size(); ++i) {
    if (!std::isfinite(mean.x[i]) || !std::isfinite(mean.y[i])) continue;
    const bool alone =
        (i == 0 || !std::isfinite(mean.y[i - 1])) && (i + 1 == mean.x.size() || !std::isfinite(mean.y[i + 1]));
    if (few || alone) svg.circle(x.at(mean.x[i]), y.at(mean.y[i]), 2.6, fmt::format("class='dot s{}'", number));
  }
}

std::vector<double> five_digits(std::vector<double> values) {
  for (double& value : values) value = std::isfinite(value) ? with_digits(value, 5) : kNaN;
  return values;
}

std::string readout_data(const LineChart& chart, const std::vector<Series>& curves) {
  nlohmann::ordered_json json{
      {"x", chart.x_label}, {"percent", chart.percent}, {"series", nlohmann::ordered_json::array()}};
  for (const Series& curve : curves) {
    json["series"].push_back({{"name", curve.name}, {"x", five_digits(curve.x)}, {"y", five_digits(curve.y)}});
  }
  return script_data(json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

std::string legend_of(const std::vector<Series>& series) {
  if (series.size() < 2) return "";
  std::string legend = "<ul class='keys'>";
  for (size_t i = 0; i < series.size(); ++i) {
    legend += fmt::format(
        "<li><svg class='key' viewBox='0 0 26 10' aria-hidden='true'><path d='M1 5H25' "
        "class='curve s{}'/></svg>{}</li>",
        i, escape_markup(series[i].name));
  }
  return legend + "</ul>\n";
}

constexpr double kGlyph = 6.4;   // width of a letter of 12 pixels' height
constexpr size_t kLetters = 20;  // of a class name
/// From this strength of a cell's colour on, numbers are written in --on-strong instead of --on-weak. The colours of
/// the style sheet are chosen so that at this strength black and white are told from all of them equally well (4.6 :
/// 1).
constexpr double kStrong = 0.705;

size_t letters_of(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

void draw_cell(Svg& svg, double x, double y, double cell, bool diagonal, double share, const std::string& title) {
  const double strength = std::round(100 * std::sqrt(std::clamp(share, 0.0, 1.0))) / 100;
  svg.rect(x, y, cell - 1, cell - 1,
           fmt::format("class='{}' fill-opacity='{:.2f}'", diagonal ? "right" : "wrong", strength), title);
  if (share < 0.005) return;
  svg.text(x + (cell - 1) / 2, y + cell / 2 + 3.5,
           fmt::format("class='count{}' text-anchor='middle'", strength > kStrong ? " strong" : ""),
           fmt::format("{:.0f}", share * 100));
}

}  // namespace

Series thin_out(const Series& series, size_t points) {
  check(series.x.size() == series.y.size() && points > 0, "chart: {} and {} values", series.x.size(), series.y.size());
  const bool has_band = !series.low.empty();
  check(series.low.size() == series.high.size() && (!has_band || series.low.size() == series.y.size()),
        "chart: a band of {} and {} around {} values", series.low.size(), series.high.size(), series.y.size());
  if (series.x.size() <= points) return series;
  Series result{series.name, {}, {}};
  const size_t count = series.x.size();
  for (size_t bucket = 0; bucket < points; ++bucket) {
    const size_t first = bucket * count / points, last = (bucket + 1) * count / points;
    double x = 0, sum = 0;
    Range range;
    size_t finite = 0;
    for (size_t i = first; i < last; ++i) {
      x += series.x[i];
      range.add(has_band ? series.low[i] : series.y[i]);
      range.add(has_band ? series.high[i] : series.y[i]);
      if (!std::isfinite(series.y[i])) continue;
      sum += series.y[i];
      ++finite;
    }
    result.x.push_back(x / static_cast<double>(last - first));
    result.y.push_back(finite == 0 ? kNaN : sum / static_cast<double>(finite));
    result.low.push_back(finite == 0 ? kNaN : range.low);
    result.high.push_back(finite == 0 ? kNaN : range.high);
  }
  return result;
}

std::string line_chart(const LineChart& chart) {
  std::vector<Series> curves;
  Range x_range, y_range;
  for (const Series& series : chart.series) {
    curves.push_back(thin_out(series, kPoints));
    const Series& curve = curves.back();
    for (size_t i = 0; i < curve.x.size(); ++i) {
      if (!std::isfinite(curve.y[i])) continue;
      x_range.add(curve.x[i]);
      y_range.add(curve.low.empty() ? curve.y[i] : curve.low[i]);
      y_range.add(curve.high.empty() ? curve.y[i] : curve.high[i]);
    }
  }
  if (x_range.empty() || y_range.empty()) {
    return fmt::format("<p class='nothing'>{}: no finite value was logged.</p>\n", escape_markup(chart.label));
  }
  if (chart.from_zero) y_range.add(0);
  for (const double value : chart.covers) y_range.add(value);
  const bool logarithmic = chart.may_be_logarithmic && y_range.low > 0 && y_range.high > 20 * y_range.low;

  std::string html = "<figure class='chart'>\n" + legend_of(chart.series);
  for (const Layout& layout : {kWide, kNarrow}) {
    Axis y = logarithmic ? Axis{y_range.low / 1.1, y_range.high * 1.1, 0, 0, true}
                         : round_axis(y_range.low, y_range.high, layout.y_marks);
    if (chart.percent && y_range.low >= 0 && y_range.high <= 1) {
      y.low = std::max(y.low, 0.0);
      y.high = std::min(y.high, 1.0);
    }
    y.start = layout.bottom;
    y.stop = layout.top;
    Axis x{x_range.low, x_range.high, layout.left, layout.right};
    if (x.low == x.high) {
      x.low -= 1;
      x.high += 1;
    }
    Svg svg;
    draw_axes(svg, layout, x, y, false, chart.percent, chart.x_label,
              chart.y_label + (logarithmic ? " (logarithmic)" : ""));
    for (size_t i = curves.size(); i-- > 0;) draw_curve(svg, curves[i], i, x, y);
    svg.line(0, layout.top, 0, layout.bottom, "class='cursor'");
    html += picture(attributes_of(layout), chart.label, svg,
                    fmt::format(" data-axis='{:.6g} {:.6g} {} {}'", x.low, x.high, x.start, x.stop));
  }
  return html + readout_data(chart, curves) + "<output class='readout'></output>\n</figure>\n";
}

std::string histogram_chart(const Histogram& chart) {
  check(chart.edges.size() == chart.bars.size() + 1 && !chart.bars.empty(), "chart: {} bars between {} edges",
        chart.bars.size(), chart.edges.size());
  std::string html = "<figure class='chart'>\n";
  const double tallest = std::max(1.0, *std::max_element(chart.bars.begin(), chart.bars.end()));
  for (const Layout& layout : {kWide, kNarrow}) {
    Axis y = round_axis(0, tallest, std::min(layout.y_marks, static_cast<int>(tallest)));
    y.start = layout.bottom;
    y.stop = layout.top;
    const Axis x{chart.edges.front(), chart.edges.back(), layout.left, layout.right};
    Svg svg;
    draw_axes(svg, layout, x, y, chart.percent, false, chart.x_label, chart.y_label);
    for (size_t i = 0; i < chart.bars.size(); ++i) {
      if (chart.bars[i] <= 0) continue;
      const double left = x.at(chart.edges[i]), right = x.at(chart.edges[i + 1]), top = y.at(chart.bars[i]);
      svg.rect(left + 1, top, right - left - 2, layout.bottom - top, "class='column s0'",
               fmt::format("{} to {}: {}", mark_text(chart.edges[i], chart.percent),
                           mark_text(chart.edges[i + 1], chart.percent), short_number(chart.bars[i])));
    }
    html += picture(attributes_of(layout), chart.label, svg);
  }
  return html + "</figure>\n";
}

std::string matrix_chart(const MatrixChart& chart) {
  const size_t count = chart.names.size();
  const double cell = std::clamp(400.0 / static_cast<double>(count), 26.0, 40.0);
  check(count > 0 && chart.shares.size() == count && chart.titles.size() == count, "chart: {} names for {} rows", count,
        chart.shares.size());
  std::vector<std::string> names;
  size_t longest = 0;
  for (const std::string& name : chart.names) {
    names.push_back(shorten(name, kLetters));
    longest = std::max(longest, letters_of(names.back()));
  }
  const double margin = 14 + kGlyph * static_cast<double>(longest);
  const double left = margin + 18, top = margin + 22, side = cell * static_cast<double>(count);
  // Column names lean to the right beyond the last column.
  const double width = left + side + margin * 0.72 + 4, height = top + side + 6;

  Svg svg;
  svg.raw(fmt::format(
      "<text class='label' transform='translate(12 {:.1f}) rotate(-90)' text-anchor='middle'>truth</text>\n",
      top + side / 2));
  svg.text(left + side / 2, 12, "class='label' text-anchor='middle'", "prediction");
  for (size_t i = 0; i < count; ++i) {
    const double place = static_cast<double>(i) * cell;
    svg.text(left - 6, top + place + cell / 2 + 4, "class='tick' text-anchor='end'", names[i]);
    svg.raw(fmt::format("<text class='tick' transform='translate({:.1f} {:.1f}) rotate(-52)'>{}</text>\n",
                        left + place + cell / 2 + 2, top - 6, escape_markup(names[i])));
    check(chart.shares[i].size() == count && chart.titles[i].size() == count, "chart: row {} has {} cells", i,
          chart.shares[i].size());
    for (size_t k = 0; k < count; ++k) {
      const double x = left + static_cast<double>(k) * cell, y = top + place;
      if (chart.shares[i][k] > 0) {
        draw_cell(svg, x, y, cell, i == k, chart.shares[i][k], chart.titles[i][k]);
      } else {
        svg.rect(x, y, cell - 1, cell - 1, "class='empty'");
      }
    }
  }
  return picture(
      fmt::format("class='matrix' width='{0:.0f}' height='{1:.0f}' viewBox='0 0 {0:.0f} {1:.0f}'", width, height),
      chart.label, svg);
}

std::string interval_chart(double value, double low, double high, const std::string& label) {
  const Axis x{0, 1, 8, 352};
  Svg svg;
  svg.rect(x.start, 12, x.stop - x.start, 8, "class='track' rx='4'");
  svg.rect(x.at(low), 7, std::max(x.at(high) - x.at(low), 2.0), 18, "class='span'");
  svg.rect(x.at(value) - 0.75, 4, 1.5, 24, "class='value'");
  for (const int percent : {0, 25, 50, 75, 100}) {
    svg.text(x.at(percent / 100.0), 42,
             fmt::format("class='tick' text-anchor='{}'", percent == 0     ? "start"
                                                          : percent == 100 ? "end"
                                                                           : "middle"),
             fmt::format("{}", percent));
  }
  return picture("class='interval' viewBox='0 0 360 46'", label, svg);
}

}  // namespace giza::train
