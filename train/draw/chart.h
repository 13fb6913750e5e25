// Charts of reports as SVG inside HTML. Colours come from the page's style sheet by class names (s0, s1, ... for
// series, grid, axis, band, cursor), so that they follow its light and dark modes.
#pragma once

#include <string>
#include <vector>

namespace giza::train {

/// A curve. NaN and infinite values are gaps.
struct Series {
  std::string name;
  std::vector<double> x, y;                 ///< equally long, x not descending
  std::vector<double> low = {}, high = {};  ///< a band around it, as long as y; or empty: none
};

struct LineChart {
  std::string label;                ///< what it shows, for those who do not see it
  std::string x_label, y_label;     ///< below and above the axes
  std::vector<Series> series;       ///< the first in front
  bool percent = false;             ///< y is a share, marked in percent
  bool from_zero = false;           ///< the y axis begins at 0 at the latest
  bool may_be_logarithmic = false;  ///< y is on a logarithmic axis where it spans more than a factor of 20
  std::vector<double> covers = {};  ///< what the y axis reaches besides: of charts that are looked at side by side
};

/// `series` with at most `points` points: where there are more, each stands for a bucket of neighbours, by their mean;
/// low and high are then the extremes of the buckets. Buckets are cut by number only.
Series thin_out(const Series& series, size_t points);

/// The chart as a figure: a legend for more than one series, the picture in a wide and a narrow layout, of which the
/// style sheet shows one, and the points for the readout under a pointer (report's script). Without a finite value a
/// sentence instead.
std::string line_chart(const LineChart& chart);

/// Upright bars: bars[i] stands on edges[i] to edges[i + 1]; edges has one more element.
struct Histogram {
  std::string label, x_label, y_label;
  std::vector<double> edges;
  std::vector<double> bars;
  bool percent = false;  ///< of x
};
std::string histogram_chart(const Histogram& chart);

/// Shares of each row, as cells of a colour that grows with the square root of the share.
struct MatrixChart {
  std::string label;
  std::vector<std::string> names;                ///< of rows and columns
  std::vector<std::vector<double>> shares;       ///< [row][column], 0 to 1; a row of zeros is an empty one
  std::vector<std::vector<std::string>> titles;  ///< of the cells
};
/// One picture, as wide as its classes need.
std::string matrix_chart(const MatrixChart& chart);

/// A value with its interval on a scale of percent from 0 to 100.
std::string interval_chart(double value, double low, double high, const std::string& label);

}  // namespace giza::train
