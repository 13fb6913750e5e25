// report.html: the curves of a training.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "train/draw/chart.h"
#include "train/draw/svg.h"
#include "train/report/html_parts.h"

namespace giza::train {
namespace {

constexpr size_t kTableRows = 200;  // of the table of validations

using Steps = std::vector<TrainPoint>;

/// A figure of a curve's points over another.
template <class Point, class Place>
Series series_of(const std::vector<Point>& points, const char* name, Place Point::*place, double Point::*value) {
  Series series{name, {}, {}};
  for (const Point& point : points) {
    series.x.push_back(static_cast<double>(point.*place));
    series.y.push_back(point.*value);
  }
  return series;
}

Series series_of(const Steps& steps, const char* name, double TrainPoint::*value) {
  return series_of(steps, name, &TrainPoint::iteration, value);
}

bool all_zero(const Series& series) {
  return std::all_of(series.y.begin(), series.y.end(),
                     [](double value) { return value == 0 || !std::isfinite(value); });
}

std::string panel(const std::string& title, const LineChart& chart, const std::string& caption) {
  return fmt::format("<div class='panel'>\n<h3>{}</h3>\n{}{}</div>\n", title, line_chart(chart),
                     paragraph("caption", caption));
}

std::string loss_panel(const Steps& steps) {
  LineChart chart{"Loss over the iterations", "iteration", "loss", {}, false, false, true};
  chart.series = {series_of(steps, "total", &TrainPoint::loss), series_of(steps, "main", &TrainPoint::main_loss)};
  Series aux = series_of(steps, "auxiliary", &TrainPoint::aux_loss);
  if (!all_zero(aux)) chart.series.push_back(std::move(aux));
  const auto lowest = std::min_element(steps.begin(), steps.end(), [](const TrainPoint& a, const TrainPoint& b) {
    return (std::isfinite(a.loss) ? a.loss : HUGE_VAL) < (std::isfinite(b.loss) ? b.loss : HUGE_VAL);
  });
  return panel(
      "Loss", chart,
      fmt::format("Total = main + weighted auxiliary. From {} to {}; lowest {} at iteration {}. Each value is the mean "
                  "since the line of the log before.",
                  figure(steps.front().loss), figure(steps.back().loss), figure(lowest->loss),
                  grouped(lowest->iteration)));
}

std::string rate_panel(const Steps& steps) {
  LineChart chart{"Learning rate over the iterations", "iteration", "rate of the backbone", {}, false, true, false};
  chart.series = {series_of(steps, "learning rate", &TrainPoint::rate)};
  return panel("Learning rate", chart,
               fmt::format("From {} to {}; new layers learn at this times TRAIN.new_layer_lr.",
                           figure(steps.front().rate), figure(steps.back().rate)));
}

/// `accuracy`: as accuracy_name says.
std::string accuracy_panel(const Steps& steps, const std::string& accuracy) {
  std::string title = accuracy + " on training crops";
  title[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(title[0])));
  LineChart chart{title + " over the iterations", "iteration", accuracy + " %", {}, true, false, false};
  chart.series = {series_of(steps, accuracy.c_str(), &TrainPoint::accuracy)};
  return panel(title, chart,
               fmt::format("Last {}&#8239;%. Augmented crops, with dropout: not a measure of quality, but of learning.",
                           percent(steps.back().accuracy)));
}

std::string validation_table(const std::vector<ValidationPoint>& points, const std::string& accuracy) {
  std::string rows;
  const size_t first = points.size() > kTableRows ? points.size() - kTableRows : 0;
  for (size_t i = first; i < points.size(); ++i) {
    const ValidationPoint& point = points[i];
    rows += "<tr>" + number_cell(point.epoch, figure(point.epoch)) + count_cell(point.iteration) +
            share_cell(point.miou) + share_cell(point.miou_present) + share_cell(point.macc) +
            share_cell(point.all_acc) + "</tr>\n";
  }
  const std::string note =
      first > 0 ? paragraph("caption", fmt::format("The last {} of {}.", kTableRows, points.size())) : "";
  return fmt::format("<details>\n<summary>Numbers of {} validation{}</summary>\n{}", points.size(),
                     points.size() == 1 ? "" : "s", note) +
         table("Numbers of the validations", "sortable",
               {{"epoch", Column::number},
                {"iteration", Column::number},
                {"mIoU", Column::share},
                {"mIoU present", Column::share},
                {"mean acc.", Column::share},
                {accuracy == "pixel accuracy" ? "pixel acc." : "top-1 acc.", Column::share}},
               rows) +
         "</details>\n";
}

std::string validation_panel(const std::vector<ValidationPoint>& points, const std::string& accuracy) {
  LineChart chart{fmt::format("Mean IoU and {} of the validations over the epochs", accuracy),
                  "epoch",
                  "%",
                  {},
                  true,
                  false,
                  false};
  chart.series = {series_of(points, "mIoU", &ValidationPoint::epoch, &ValidationPoint::miou),
                  series_of(points, accuracy.c_str(), &ValidationPoint::epoch, &ValidationPoint::all_acc)};
  std::vector<std::string> protocols;
  for (const ValidationPoint& point : points) {
    if (std::find(protocols.begin(), protocols.end(), point.protocol) == protocols.end())
      protocols.push_back(point.protocol);
  }
  std::string caption =
      protocols.size() == 1
          ? "Protocol of every point: " + escape_markup(protocols[0]) + "."
          : fmt::format("{} different protocols are in this curve: its points cannot all be compared.",
                        protocols.size());
  return panel("Validation", chart, caption);
}

}  // namespace

std::string training_section(const ReportData& data) {
  const RunHistory& history = data.history;
  if (history.empty()) return "";
  std::string section = "<div class='panels'>\n";
  if (!history.steps.empty()) section += loss_panel(history.steps);
  if (!history.validations.empty()) section += validation_panel(history.validations, accuracy_name(data));
  if (!history.steps.empty()) section += accuracy_panel(history.steps, accuracy_name(data)) + rate_panel(history.steps);
  section += "</div>\n";
  if (!history.validations.empty()) section += validation_table(history.validations, accuracy_name(data));
  if (history.skipped_lines > 0) {
    const bool one = history.skipped_lines == 1;
    section += paragraph("note", fmt::format("{} line{} of log.jsonl could not be read and {} left out.",
                                             history.skipped_lines, one ? "" : "s", one ? "is" : "are"));
  }
  if (history.cut) section += paragraph("note", "log.jsonl is longer than 64 MiB; the rest of it is not shown.");
  return section;
}

}  // namespace giza::train
