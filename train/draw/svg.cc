// What the pictures of reports are drawn with: escaped text, axes, and the pieces of an SVG document.
#include "train/draw/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

namespace giza::train {
namespace {

constexpr std::pair<char, std::string_view> kEscapes[] = {
    {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

/// Bytes of the UTF-8 sequence at the beginning of `text`; 0 for what is none (Unicode 15, table 3-7).
size_t sequence_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xC2 && lead <= 0xDF ? 2 : lead >= 0xE0 && lead <= 0xEF ? 3 : lead >= 0xF0 ? 4 : 0;
  if (length == 0 || lead > 0xF4 || text.size() < length) return 0;
  // The second byte's range leaves out overlong forms, surrogates and what lies beyond U+10FFFF.
  const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high) return 0;
  for (size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  return length;
}

/// Calls body with one code point after the other, replaced where it is no text.
template <class Body>
void for_each_letter(std::string_view text, Body&& body) {
  while (!text.empty()) {
    const size_t length = sequence_length(text);
    const auto first = static_cast<unsigned char>(text[0]);
    const bool control = (first < 0x20 && first != '\n' && first != '\t') || first == 0x7F ||
                         (length == 2 && first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0);
    body(length == 0 || control ? kReplacement : text.substr(0, length));
    text.remove_prefix(std::max<size_t>(length, 1));
  }
}

/// The smallest 1, 2 or 5 times a power of ten that is not below `value`.
double round_up_step(double value) {
  const double decade = std::pow(10, std::floor(std::log10(value)));
  const double ratio = value / decade;
  return (ratio <= 1.0000001 ? 1 : ratio <= 2 ? 2 : ratio <= 5 ? 5 : 10) * decade;
}

std::string title_of(std::string_view title) {
  return title.empty() ? "/>" : "><title>" + escape_markup(title) + "</title>";
}

}  // namespace

std::string escape_markup(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for_each_letter(text, [&](std::string_view letter) {
    const auto* const escape = std::find_if(std::begin(kEscapes), std::end(kEscapes),
                                            [&](const auto& pair) { return pair.first == letter[0]; });
    escaped += escape != std::end(kEscapes) ? escape->second : letter;
  });
  return escaped;
}

std::string script_data(std::string_view json) {
  std::string text = "<script type='application/json'>";
  for (const char c : json) text += c == '<' ? std::string("\\u003c") : std::string(1, c);
  return text + "</script>\n";
}

std::string shorten(std::string_view text, size_t letters) {
  std::string whole, cut;
  size_t count = 0;
  for_each_letter(text, [&](std::string_view letter) {
    ++count;
    if (count < letters) cut += letter;
    if (count <= letters) whole += letter;
  });
  return count <= letters ? whole : cut + "…";
}

double Axis::at(double value) const {
  const double share =
      logarithmic ? std::log10(std::max(value, low) / low) / std::log10(high / low) : (value - low) / (high - low);
  return start + share * (stop - start);
}

std::vector<double> axis_marks(const Axis& axis, int wanted) {
  std::vector<double> marks;
  if (axis.logarithmic) {
    const double decades = std::log10(axis.high / axis.low);
    for (double decade = std::pow(10, std::floor(std::log10(axis.low))); decade <= axis.high; decade *= 10) {
      for (const int step : {1, 2, 5}) {
        if (step != 1 && decades * 2 > wanted) continue;
        const double value = decade * step;
        if (value > axis.low * 0.999 && value < axis.high * 1.001) marks.push_back(value);
      }
    }
    return marks;
  }
  const double step = round_up_step((axis.high - axis.low) / std::max(wanted, 1));
  const double first = std::ceil(axis.low / step - 1e-9);
  for (int i = 0; i <= 4 * wanted; ++i) {
    const double value = (first + i) * step;
    if (value > axis.high + step * 1e-9) break;
    marks.push_back(value == 0 ? 0 : value);  // no -0
  }
  return marks;
}

Axis round_axis(double low, double high, int wanted) {
  if (!std::isfinite(low) || !std::isfinite(high)) return {0, 1, 0, 0};
  // Values that lie closer than a double can tell at their size are one.
  if (high - low <= 1e-9 * std::max(std::abs(low), std::abs(high))) {
    const double around = low == 0 ? 1 : std::abs(low) * 0.5;
    low -= around;
    high += around;
  }
  const double step = round_up_step((high - low) / std::max(wanted, 1));
  return {std::floor(low / step + 1e-9) * step, std::ceil(high / step - 1e-9) * step, 0, 0};
}

std::string short_number(double value) {
  const double size = std::abs(value);
  if (size >= 1e15) return fmt::format("{:.3g}", value);
  if (size >= 1e9) return fmt::format("{:.4g}G", value / 1e9);
  if (size >= 1e6) return fmt::format("{:.4g}M", value / 1e6);
  if (size >= 1e4) return fmt::format("{:.4g}k", value / 1e3);
  return fmt::format("{:.4g}", value);
}

void Svg::line(double x1, double y1, double x2, double y2, std::string_view style) {
  markup_ += fmt::format("<line x1='{:.1f}' y1='{:.1f}' x2='{:.1f}' y2='{:.1f}' {}/>\n", x1, y1, x2, y2, style);
}

void Svg::text(double x, double y, std::string_view style, std::string_view words) {
  markup_ += fmt::format("<text x='{:.1f}' y='{:.1f}' {}>{}</text>\n", x, y, style, escape_markup(words));
}

void Svg::rect(double x, double y, double width, double height, std::string_view style, std::string_view title) {
  markup_ += fmt::format("<rect x='{:.1f}' y='{:.1f}' width='{:.1f}' height='{:.1f}' {}{}{}\n", x, y, width, height,
                         style, title_of(title), title.empty() ? "" : "</rect>");
}

void Svg::circle(double x, double y, double radius, std::string_view style, std::string_view title) {
  markup_ += fmt::format("<circle cx='{:.1f}' cy='{:.1f}' r='{:.1f}' {}{}{}\n", x, y, radius, style, title_of(title),
                         title.empty() ? "" : "</circle>");
}

void Svg::path(std::string_view data, std::string_view style) {
  markup_ += fmt::format("<path d='{}' {}/>\n", data, style);
}

}  // namespace giza::train
