// What the pictures of reports are drawn with: escaped text and data, axes, and the pieces of an SVG document.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace giza::train {

/// `text` as HTML or SVG text or as the value of a quoted attribute: & < > " ' escaped; bytes that are no UTF-8 and
/// control characters become U+FFFD, so that nothing read from a file can end a tag, a string or the document.
std::string escape_markup(std::string_view text);
/// JSON as a script element that only holds data; no text in it can end the element.
std::string script_data(std::string_view json);
/// At most `letters` code points of UTF-8, the last one an ellipsis where something was cut off. Not escaped.
std::string shorten(std::string_view text, size_t letters);

/// A linear or logarithmic axis: values and their places on the picture.
struct Axis {
  double low, high;    ///< values at the ends; low < high; above 0 where logarithmic
  double start, stop;  ///< their places
  bool logarithmic = false;

  double at(double value) const;
};

/// Round values to mark on an axis: about `wanted` multiples of 1, 2 or 5 times a power of ten; on a logarithmic axis
/// powers of ten, and 2 and 5 times these where it has few decades.
std::vector<double> axis_marks(const Axis& axis, int wanted);
/// `low` and `high` moved apart to such round values; where they are equal or not finite, to a range around them.
Axis round_axis(double low, double high, int wanted);
/// A number as short as it can be: "0.05", "12", "1.5k", "2M", "1e-05".
std::string short_number(double value);

/// Collects the pieces of a picture. `style` is attributes: "class='grid'".
class Svg {
 public:
  void line(double x1, double y1, double x2, double y2, std::string_view style);
  /// `words` are escaped.
  void text(double x, double y, std::string_view style, std::string_view words);
  /// `title`: what a pointer that rests on it is told; escaped; none if empty.
  void rect(double x, double y, double width, double height, std::string_view style, std::string_view title = {});
  void circle(double x, double y, double radius, std::string_view style, std::string_view title = {});
  void path(std::string_view data, std::string_view style);
  /// Markup of the caller's own.
  void raw(std::string_view markup) { markup_ += markup; }

  const std::string& markup() const { return markup_; }

 private:
  std::string markup_;
};

}  // namespace giza::train
