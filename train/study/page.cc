// The page of a study.
#include "train/study/page.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "tensor/base/file.h"
#include "train/draw/chart.h"
#include "train/draw/svg.h"
#include "train/report/html_parts.h"
#include "train/report/run_history.h"
#include "train/report/run_report.h"
#include "train/study/pictures.h"
#include "train/study/summary.h"

namespace giza::train {
namespace {

/// "62.13 ± 0.45" as a cell that sorts by the mean.
std::string spread_cell(const Spread& spread) { return number_cell(spread.mean, escape_markup(spread_text(spread))); }

std::string difference_cell(const RowSummary& row, bool first) {
  const PairedDifference& difference = row.from_first;
  if (first || !std::isfinite(difference.mean)) return "<td class='n'></td>";
  std::string shown = fmt::format("{:+.2f}", 100 * difference.mean);
  if (std::isfinite(difference.low)) {
    shown += fmt::format(" <span class='of'>({:+.2f} to {:+.2f})</span>", 100 * difference.low, 100 * difference.high);
  }
  return number_cell(difference.mean, shown);
}

/// `difference` is a share, NaN: none.
std::string published_cell(const StudyRow& row, double Published::*figure, double difference) {
  const double value = row.paper ? *row.paper.*figure : kNoFigure;
  std::string shown = std::isfinite(value) ? fmt::format("{:.2f}", value) : "";
  if (std::isfinite(difference)) shown += fmt::format(" <span class='of'>({:+.2f})</span>", 100 * difference);
  return number_cell(value, shown);
}

std::string results_table(const StudyResult& result, const StudySummary& summary) {
  std::string rows;
  for (size_t r = 0; r < result.rows.size(); ++r) {
    const RowResult& row = result.rows[r];
    const RowSummary& figures = summary.rows[r];
    rows += fmt::format("<tr><th scope='row'>{}</th>", escape_markup(row.row.title)) + spread_cell(figures.miou) +
            published_cell(row.row, &Published::miou, figures.first == r ? kNoFigure : figures.published_from_first) +
            difference_cell(figures, figures.first == r) + spread_cell(figures.all_acc) +
            published_cell(row.row, &Published::all_acc, kNoFigure) +
            number_cell(static_cast<double>(row.parameters), count_text(static_cast<double>(row.parameters))) +
            number_cell(row.macs, count_text(row.macs)) + "</tr>\n";
  }
  return table("Results of the rows", "sortable",
               {{"row"},
                {"mIoU %, ours", Column::number},
                {"mIoU %, published (difference)", Column::number},
                {has_groups(result.study) ? "difference to the first row of the group" : "difference to the first row",
                 Column::number},
                {"pixel acc. %, ours", Column::number},
                {"pixel acc. %, published", Column::number},
                {"parameters", Column::number},
                {"multiply-adds", Column::number}},
               rows);
}

std::string results_section(const StudyResult& result, const StudySummary& summary) {
  const Config& config = result.rows.front().config;
  const std::string& source = result.study.source;
  const std::string published = source.empty() ? std::string()
                                               : fmt::format(
                                                     "Published: {}: other data, another size, so its order is to be "
                                                     "compared, not its numbers. ",
                                                     escape_markup(source));
  std::string html = results_table(result, summary);
  html += paragraph(
      "caption",
      fmt::format("Ours: mean ± sample standard deviation over {} seed{}. Differences are of the mIoU, paired by seed, "
                  "with the interval of 95&#8239;% by Student's t. {}Parameters without the auxiliary head; "
                  "multiply-adds of one pass over {} × {} pixels.",
                  result.options.seeds, result.options.seeds == 1 ? "" : "s", published, config.test.test_w,
                  config.test.test_h));
  if (!result.study.note.empty()) html += paragraph("note", escape_markup(result.study.note));
  std::string protocol = result.protocol;
  const auto refined =
      std::find_if(result.rows.begin(), result.rows.end(), [](const RowResult& row) { return row.config.test.crf; });
  if (refined != result.rows.end()) {
    protocol += fmt::format("; with the CRF: {}", crf_name(refined->config.test.crf_options));
  }
  html += paragraph("protocol", "<span>Protocol</span> " + escape_markup(protocol));
  for (const RowResult& row : result.rows) {
    for (const SeedResult& seed : row.seeds) {
      if (seed.failure.empty()) continue;
      html += paragraph("note warn", escape_markup(fmt::format("{}, seed {}, has no result: {}", row.row.title,
                                                               seed.seed, seed.failure)));
    }
  }
  return html;
}

std::string order_section(const StudyResult& result, const StudySummary& summary) {
  if (result.study.source.empty()) return "";
  std::string html = paragraph("", escape_markup(agreement_text(summary)));
  if (summary.miou.resamples > 0) {
    html +=
        paragraph("caption",
                  fmt::format("The interval is a percentile bootstrap (Philox with the fixed seed {}): each row's mean "
                              "is taken anew over as many of its seeds, drawn with replacement. It tells how other "
                              "seeds might have ordered these rows; with so few rows and seeds it is wide, and still "
                              "a rough guide.",
                              kStudySeed));
  }
  if (summary.contradictions.empty()) {
    return html +
           paragraph("note", "No pair of rows stands against the published order by more than its seeds explain.");
  }
  std::string rows;
  for (const Contradiction& each : summary.contradictions) {
    rows += fmt::format("<tr><th scope='row'>{}</th><td>{}</td>", escape_markup(result.rows[each.better].row.title),
                        escape_markup(result.rows[each.worse].row.title)) +
            number_cell(each.difference.mean, fmt::format("{:+.2f}", 100 * each.difference.mean)) +
            number_cell(each.difference.low,
                        fmt::format("{:+.2f} to {:+.2f}", 100 * each.difference.low, 100 * each.difference.high)) +
            "</tr>\n";
  }
  return html +
         paragraph("note",
                   "Pairs that stand against the published order by more than their seeds explain (the interval of the "
                   "paired difference leaves out 0; with many pairs, one in forty does so by chance):") +
         table(
             "Pairs against the published order", "",
             {{"higher here"}, {"higher as published"}, {"mIoU, difference", Column::number}, {"95 %", Column::number}},
             rows);
}

/// The mean of several runs' curve with their extremes as a band, at the iterations that all of them have.
template <class Point>
Series mean_curve(const std::string& name, const std::vector<RunHistory>& runs, std::vector<Point> RunHistory::*points,
                  double Point::*value) {
  std::map<int64_t, std::vector<double>> by_iteration;
  for (const RunHistory& run : runs) {
    for (const Point& point : run.*points) by_iteration[point.iteration].push_back(point.*value);
  }
  Series series{name, {}, {}};
  for (const auto& [iteration, values] : by_iteration) {
    if (values.size() < runs.size()) continue;
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    series.x.push_back(static_cast<double>(iteration));
    series.y.push_back(spread_of(values).mean);
    series.low.push_back(*low);
    series.high.push_back(*high);
  }
  return series;
}

/// The logs of a row's seeds that have any.
std::vector<RunHistory> histories_of(const RowResult& row) {
  std::vector<RunHistory> runs;
  for (const SeedResult& seed : row.seeds) {
    RunHistory history = read_history(seed.folder + "/log.jsonl");
    if (!history.empty()) runs.push_back(std::move(history));
  }
  return runs;
}

/// A chart for each training: its seeds' mean and their extremes, with the mean of its group's first for comparison; of
/// the validations' mIoU, or where there were none, of the loss.
std::vector<LineChart> curves_of(const StudyResult& result, bool* validated) {
  std::vector<LineChart> charts;
  std::vector<std::string> seen;
  struct First {
    std::string title;
    std::vector<RunHistory> runs;
  };
  std::map<std::string, First> firsts;  // by group
  for (const RowResult& row : result.rows) {
    if (std::find(seen.begin(), seen.end(), row.row.training) != seen.end()) continue;
    const std::vector<RunHistory> runs = histories_of(row);
    if (runs.empty()) continue;
    if (seen.empty()) *validated = !runs.front().validations.empty();
    const auto [first, is_first] = firsts.try_emplace(row.row.group, First{row.row.title, runs});
    const auto curve = [&](const std::string& name, const std::vector<RunHistory>& of) {
      return *validated ? mean_curve(name, of, &RunHistory::validations, &ValidationPoint::miou)
                        : mean_curve(name, of, &RunHistory::steps, &TrainPoint::loss);
    };
    LineChart chart{
        fmt::format("{} over the iterations of {}", *validated ? "mIoU of the validations" : "Loss", row.row.title),
        "iteration",
        *validated ? "mIoU %" : "loss",
        {curve(row.row.title, runs)},
        *validated,
        false,
        false};
    if (!is_first) {
      chart.series.push_back(curve(first->second.title, first->second.runs));
      chart.series.back().low.clear();
      chart.series.back().high.clear();
    }
    seen.push_back(row.row.training);
    charts.push_back(std::move(chart));
  }
  return charts;
}

std::string curves_section(const StudyResult& result) {
  bool validated = true;
  std::vector<LineChart> charts = curves_of(result, &validated);
  if (charts.empty()) return "";
  std::vector<double> all;
  for (const LineChart& chart : charts) {
    all.insert(all.end(), chart.series.front().low.begin(), chart.series.front().low.end());
    all.insert(all.end(), chart.series.front().high.begin(), chart.series.front().high.end());
  }
  std::string panels;
  for (LineChart& chart : charts) {
    chart.covers = all;
    panels += fmt::format("<div class='panel'>\n<h3>{}</h3>\n{}</div>\n", escape_markup(chart.series.front().name),
                          line_chart(chart));
  }
  return paragraph(
             "caption",
             fmt::format("{} Mean over the seeds, and the lowest and the highest of them as a band; dashed: the "
                         "first row{}.",
                         validated ? "Validations during training, at one scale and not mirrored." : "Training losses.",
                         has_groups(result.study) ? " of the group, where that is another training" : "")) +
         "<div class='panels'>\n" + panels + "</div>\n";
}

std::string rows_section(const StudyResult& result) {
  const auto words = [](const std::vector<std::string>& list) {
    return list.empty() ? std::string("<span class='empty'>none</span>")
                        : "<code>" + escape_markup(fmt::format("{}", fmt::join(list, " "))) + "</code>";
  };
  std::string rows;
  for (const RowResult& row : result.rows) {
    rows += fmt::format("<tr><th scope='row'>{}</th><td>{}</td><td><code>{}</code></td></tr>\n",
                        escape_markup(row.row.title), words(settings_of(row)), escape_markup(row.row.training));
  }
  return paragraph("", "All rows begin from one configuration; these keys alone tell them apart:") +
         table("Keys of the rows", "settings", {{"row"}, {"keys"}, {"run folder"}}, rows) +
         paragraph("note", "Keys of all rows beside the configuration of the data: " + words(result.study.base) + ".") +
         "<details>\n<summary>The configuration of the data, resolved</summary>\n" +
         scroll_box("The resolved configuration",
                    "<pre><code>" + escape_markup(to_yaml(result.data.config)) + "</code></pre>\n") +
         "</details>\n";
}

std::string machine_section(const StudyResult& result) {
  return facts(machine_facts()) + "<h3>To make this again</h3>\n" +
         scroll_box("Command", "<pre><code>" + escape_markup(result.data.config.command) + "</code></pre>\n") +
         paragraph(
             "caption",
             "The same build, configuration and data give the same bits at any number of threads, on every processor "
             "with a fused multiply-add.");
}

}  // namespace

std::string study_page(const StudyResult& result) {
  const StudySummary summary = summarise(result);
  const Config& config = result.rows.front().config;
  int64_t done = 0;
  for (const RowResult& row : result.rows) {
    done += std::count_if(row.seeds.begin(), row.seeds.end(),
                          [](const SeedResult& seed) { return !std::isnan(seed.miou); });
  }
  const HtmlSection sections[] = {
      {"results", "Results", "Results", results_section(result, summary)},
      {"order", "Order", "The order of the rows", order_section(result, summary)},
      {"curves", "Curves", "Learning curves", curves_section(result)},
      {"pictures", "Pictures", "Where the rows differ most", study_pictures_section(result)},
      {"rows", "Configuration", "Configuration", rows_section(result)},
      {"machine", "Machine", "Machine", machine_section(result)},
  };
  return html_page(result.study.title, "study",
                   {fmt::format("data: {}", result.data.name),
                    fmt::format("{} of {} results", done, result.rows.size() * result.rows.front().seeds.size()),
                    fmt::format("{} epochs of batch {}, crop {} × {}", result.data.config.train.epochs,
                                config.train.batch_size, config.train.train_w, config.train.train_h)},
                   sections, now_utc());
}

void write_study(const StudyResult& result) {
  write_file(result.options.out + "/study.json", study_json(result) + "\n");
  write_file(result.options.out + "/report.html", study_page(result));
}

}  // namespace giza::train
