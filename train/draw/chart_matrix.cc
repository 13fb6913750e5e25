// Matrices and intervals of reports as SVG inside HTML.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tensor/base/check.h"
#include "train/draw/chart.h"
#include "train/draw/svg.h"

namespace giza::train {
namespace {

constexpr double kGlyph = 6.4;   // width of a letter of 12 pixels' height
constexpr size_t kLetters = 20;  // of a class name
/// From this strength of a cell's colour on, numbers are written in --on-strong instead of --on-weak. The colours of the
/// style sheet are chosen so that at this strength black and white are told from all of them equally well (4.6 : 1).
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
  return fmt::format(
             "<svg class='matrix' width='{0:.0f}' height='{1:.0f}' viewBox='0 0 {0:.0f} {1:.0f}' role='img' "
             "aria-label=\"{2}\">\n",
             width, height, escape_markup(chart.label)) +
         svg.markup() + "</svg>\n";
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
  return fmt::format("<svg class='interval' viewBox='0 0 360 46' role='img' aria-label=\"{}\">\n",
                     escape_markup(label)) +
         svg.markup() + "</svg>\n";
}

}  // namespace giza::train
