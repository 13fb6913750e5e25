// report.html: figures by class, which classes are taken for which, and boundaries against interiors.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "train/draw/chart.h"
#include "train/draw/svg.h"
#include "train/report/html_parts.h"

namespace giza::train {
namespace {

constexpr size_t kMatrixClasses = 30;  // more are not drawn: the most frequent are
constexpr size_t kMatrixBesideTable = 14;
constexpr size_t kPairs = 15;  // of the list of confusions

/// A share as a number with a bar as long as it.
std::string bar_cell(double share, const char* kind) {
  return number_cell(share,
                     fmt::format("<span class='bar {}' style='--share:{:.1f}%'></span><span>{}</span>", kind,
                                 share * 100, percent(share)),
                     "wide");
}

/// The numbers of all classes, sorted: `before(a, b)` of two classes' figures.
template <class Before>
std::vector<int> sorted_classes(const Metrics& metrics, Before&& before) {
  std::vector<int> order(metrics.classes.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return before(metrics.classes[static_cast<size_t>(a)], metrics.classes[static_cast<size_t>(b)]);
  });
  return order;
}

double part_of(int64_t part, int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

std::string class_row(const ReportData& data, const Metrics& band, const Metrics& interior, int64_t pixels, int label) {
  const Evaluation& evaluation = *data.evaluation;
  const auto at = static_cast<size_t>(label);
  const ClassMetrics& figures = evaluation.metrics.classes[at];
  const std::string none = "<td class='n' data-v='-1'>–</td>";
  std::string row = fmt::format("<tr{}>", figures.present ? "" : " class='absent'");
  row +=
      fmt::format("<th scope='row' data-v=\"{0}\">{1}<bdi>{0}</bdi>{2}</th>", escape_markup(evaluation.names[at]),
                  swatch(class_color(data.colors, label)), figures.present ? "" : " <span class='tag'>absent</span>");
  row += figures.present ? bar_cell(figures.iou, "iou") : none;
  // Without a true pixel there is no accuracy, though the class may have been predicted.
  row += figures.pixels > 0 ? bar_cell(figures.acc, "acc") : none;
  const auto region = [&](const Metrics& of) { return of.classes[at].present ? share_cell(of.classes[at].iou) : none; };
  if (!data.whole_pictures) row += region(band) + region(interior);
  row += count_cell(figures.pixels) + share_cell(part_of(figures.pixels, pixels));
  return row + fmt::format("<td class='n' data-v='{0}'>{0}</td></tr>\n", label);
}

/// The classes of the matrix: all, or the most frequent, in the order of their numbers.
std::vector<int> matrix_classes(const Evaluation& evaluation) {
  std::vector<int> order = sorted_classes(
      evaluation.metrics, [](const ClassMetrics& a, const ClassMetrics& b) { return a.pixels > b.pixels; });
  order.resize(std::min(order.size(), kMatrixClasses));
  std::sort(order.begin(), order.end());
  return order;
}

double share_of(const Evaluation& evaluation, int truth, int prediction) {
  return part_of(evaluation.counts.at(truth, prediction),
                 evaluation.metrics.classes[static_cast<size_t>(truth)].pixels);
}

std::string matrix(const Evaluation& evaluation, const std::vector<int>& classes, const std::string& unit) {
  MatrixChart chart{
      fmt::format("Confusion matrix of {} classes, rows normalised; its largest entries off the diagonal are in "
                  "the table below",
                  classes.size()),
      {},
      {},
      {}};
  for (const int truth : classes) {
    const std::string& name = evaluation.names[static_cast<size_t>(truth)];
    chart.names.push_back(name);
    std::vector<double> shares;
    std::vector<std::string> titles;
    for (const int prediction : classes) {
      shares.push_back(share_of(evaluation, truth, prediction));
      titles.push_back(fmt::format("{} as {}: {} %, {} {}s", shorten(name, 40),
                                   shorten(evaluation.names[static_cast<size_t>(prediction)], 40),
                                   percent(shares.back()), evaluation.counts.at(truth, prediction), unit));
    }
    chart.shares.push_back(std::move(shares));
    chart.titles.push_back(std::move(titles));
  }
  return matrix_chart(chart);
}

struct Confused {
  int truth, prediction;
  int64_t pixels;
};

/// The pairs with the most pixels.
std::vector<Confused> most_confused(const Evaluation& evaluation) {
  std::vector<Confused> pairs;
  for (int truth = 0; truth < evaluation.counts.classes(); ++truth) {
    for (int prediction = 0; prediction < evaluation.counts.classes(); ++prediction) {
      const int64_t pixels = evaluation.counts.at(truth, prediction);
      if (truth != prediction && pixels > 0) pairs.push_back({truth, prediction, pixels});
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const Confused& a, const Confused& b) { return a.pixels > b.pixels; });
  if (pairs.size() > kPairs) pairs.resize(kPairs);
  return pairs;
}

std::string pairs_table(const ReportData& data) {
  const Evaluation& evaluation = *data.evaluation;
  const auto name = [&](int label) {
    return fmt::format("<td class='name' data-v=\"{0}\">{1}<bdi>{0}</bdi></td>",
                       escape_markup(evaluation.names[static_cast<size_t>(label)]),
                       swatch(class_color(data.colors, label)));
  };
  std::string rows;
  for (const Confused& pair : most_confused(evaluation)) {
    rows += "<tr>" + name(pair.truth) + name(pair.prediction) +
            bar_cell(share_of(evaluation, pair.truth, pair.prediction), "wrong") + count_cell(pair.pixels) + "</tr>\n";
  }
  if (rows.empty()) return paragraph("nothing", fmt::format("No {} was taken for another class.", judged(data)));
  const std::string units = judged(data) + "s";
  return "<h3>Most confused</h3>\n" +
         table("Most confused pairs of classes", "sortable",
               {{"truth"}, {"predicted as"}, {"of the truth", Column::share}, {units.c_str(), Column::number}}, rows);
}

std::string region_row(const std::string& name, const Metrics& metrics, int64_t all) {
  const int64_t pixels = metrics.pixels();
  const std::string row = fmt::format("<tr><th scope='row'>{}</th>", name);
  if (pixels == 0) return row + "<td class='n' colspan='4'>no pixel</td></tr>\n";
  return row + bar_cell(metrics.miou, "iou") + share_cell(metrics.miou_present) + share_cell(metrics.all_acc) +
         share_cell(part_of(pixels, all)) + "</tr>\n";
}

}  // namespace

std::string classes_section(const ReportData& data) {
  if (data.evaluation == nullptr) return "";
  const Evaluation& evaluation = *data.evaluation;
  const int width = evaluation.boundary.width();
  const Metrics band = evaluation.boundary.band(width), interior = evaluation.boundary.interior(width);
  const int64_t pixels = evaluation.metrics.pixels();
  std::string rows;
  const auto better = [](const ClassMetrics& a, const ClassMetrics& b) {
    return a.present != b.present ? a.present : a.iou > b.iou;
  };
  for (const int label : sorted_classes(evaluation.metrics, better)) {
    rows += class_row(data, band, interior, pixels, label);
  }
  const std::string caption = paragraph(
      "caption", fmt::format("IoU = right / (truth + predicted − right); accuracy = right / truth. Sorted by IoU; "
                             "<span class='js'>a click on a heading sorts by it. </span>Absent: in no {} of truth "
                             "or prediction. Protocol: {}.",
                             judged(data), escape_markup(evaluation.protocol)));
  if (data.whole_pictures) {
    return caption + table("Figures by class", "sortable classes",
                           {{"class"},
                            {"IoU", Column::share},
                            {"accuracy", Column::share},
                            {"pictures", Column::number},
                            {"of all", Column::share},
                            {"number", Column::number}},
                           rows);
  }
  return caption + table("Figures by class", "sortable classes",
                         {{"class"},
                          {"IoU", Column::share},
                          {"accuracy", Column::share},
                          {"IoU near boundaries", Column::share},
                          {"IoU inside", Column::share},
                          {"pixels", Column::number},
                          {"of all", Column::share},
                          {"number", Column::number}},
                         rows);
}

std::string confusion_section(const ReportData& data) {
  if (data.evaluation == nullptr) return "";
  const Evaluation& evaluation = *data.evaluation;
  const std::vector<int> classes = matrix_classes(evaluation);
  const size_t all = evaluation.names.size();
  const std::string which = classes.size() == all ? ""
                                                  : fmt::format(" The {} classes with the most {}s, of {}.",
                                                                classes.size(), judged(data), all);
  // A small matrix leaves room beside it.
  const char* layout = classes.size() <= kMatrixBesideTable ? "panels" : "stack";
  return fmt::format("<div class='{}'>\n<figure>\n", layout) +
         scroll_box("Confusion matrix", matrix(evaluation, classes, judged(data))) +
         fmt::format(
             "<figcaption class='caption'>Of the {}s of each true class (row), the percentage predicted as "
             "each class (column), written from 0.5&#8239;% on. The colour grows with the square root of the "
             "share, so that small confusions show.{} Protocol: {}.</figcaption>\n</figure>\n<div>\n",
             judged(data), which, escape_markup(evaluation.protocol)) +
         pairs_table(data) + "</div>\n</div>\n";
}

std::string boundary_section(const ReportData& data) {
  if (data.evaluation == nullptr || data.whole_pictures) return "";
  const Evaluation& evaluation = *data.evaluation;
  const BoundaryCounts& boundary = evaluation.boundary;
  const int width = boundary.width();
  const int64_t pixels = evaluation.metrics.pixels();
  LineChart chart{"Pixel accuracy and mean IoU within a band around boundaries, over its width",
                  "width of the band, pixels",
                  "%",
                  {{"pixel accuracy", {}, {}}, {"mIoU", {}, {}}},
                  true,
                  false,
                  false};
  for (int w = 1; w <= kBoundaryReach; ++w) {
    const Metrics metrics = boundary.band(w);
    chart.series[0].x.push_back(w);
    chart.series[0].y.push_back(metrics.all_acc);
    chart.series[1].x.push_back(w);
    chart.series[1].y.push_back(metrics.miou);
  }
  return "<div class='panels'>\n<div class='panel'>\n" +
         table("Figures near boundaries and inside", "",
               {{"region"},
                {"mIoU", Column::share},
                {"mIoU present", Column::share},
                {"pixel accuracy", Column::share},
                {"of all", Column::share}},
               region_row(fmt::format("up to {} px from a boundary", width), boundary.band(width), pixels) +
                   region_row("all others", boundary.interior(width), pixels) +
                   region_row("all", evaluation.metrics, pixels)) +
         paragraph(
             "caption",
             fmt::format("A pixel's distance from a boundary is the chessboard distance, max(|dx|, |dy|), to the "
                         "nearest pixel whose truth is another one; 1 is a direct neighbour. Ignored pixels count "
                         "as another truth but are not judged, and the edge of the picture is no boundary. The "
                         "width of {} px is 1&#8239;% of the pictures' mean diagonal. After the trimaps of Kohli, "
                         "Ladicky &amp; Torr (IJCV 2009) and DeepLab (Chen et al., TPAMI 2018). Protocol: {}.",
                         width, escape_markup(evaluation.protocol))) +
         "</div>\n<div class='panel'>\n<h3>Within a band, by its width</h3>\n" + line_chart(chart) + "</div>\n</div>\n";
}

}  // namespace giza::train
