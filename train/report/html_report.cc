// report.html: the page, the figures at its head, and at its end the configuration, the machine and the data.
#include "train/report/html_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <set>
#include <sstream>

#include "train/draw/chart.h"
#include "train/draw/svg.h"
#include "train/report/html_parts.h"

namespace giza::train {
namespace {

std::string term(const std::string& name, const std::string& value) {
  return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", name, value);
}

std::string share_term(const std::string& name, double share) {
  return term(name, percent(share) + "<span class='unit'>&#8239;%</span>");
}

std::string protocol_line(const std::string& protocol) {
  return paragraph("protocol",
                   "<span>Protocol</span> " + (protocol.empty() ? "not recorded" : escape_markup(protocol)));
}

std::string interval_text(double miou, const BootstrapResult& interval) {
  if (interval.resamples == 0) return "";
  std::string text = paragraph(
      "note",
      fmt::format("95&#8239;% interval <b>{} to {}&#8239;%</b>: the mIoU of {} resamplings of the {} judged with "
                  "replacement (percentile bootstrap, Philox with the fixed seed {}). A resampling that misses a class "
                  "counts it as 0; over the classes each has, the interval is {} to {}&#8239;%. It tells how much the "
                  "choice of pictures matters, not how another training would come out.",
                  percent(interval.miou.low), percent(interval.miou.high), grouped(interval.resamples),
                  grouped(interval.pictures), kBootstrapSeed, percent(interval.miou_present.low),
                  percent(interval.miou_present.high)));
  if (miou < interval.miou.low || miou > interval.miou.high) {
    text += paragraph("note warn",
                      "The mIoU itself is not in its interval: some classes are in so few pictures that most "
                      "resamplings miss them. The interval over the classes that each has says more here.");
  }
  if (interval.pictures < kBootstrapFewPictures) {
    text += paragraph("note warn", fmt::format("Only {} picture{}: too few for the interval to be more than a rough "
                                               "guide; it comes out too narrow.",
                                               interval.pictures, interval.pictures == 1 ? "" : "s"));
  }
  return text;
}

std::string evaluation_card(const ReportData& data) {
  const Evaluation& evaluation = *data.evaluation;
  const Metrics& metrics = evaluation.metrics;
  const BootstrapResult& interval = evaluation.interval;
  int absent = 0;
  for (const ClassMetrics& figures : metrics.classes) absent += figures.present ? 0 : 1;
  const bool whole = data.whole_pictures;
  std::string card = fmt::format(
      "<div class='card main'>\n<h3>{}</h3>\n<p class='big'><span class='what'>{}</span> {}<span "
      "class='unit'>&#8239;%</span></p>\n",
      escape_markup(data.evaluation_name), whole ? accuracy_name(data) : "mIoU",
      percent(whole ? metrics.all_acc : metrics.miou));
  if (interval.resamples > 0 && !whole) {
    card += interval_chart(metrics.miou, interval.miou.low, interval.miou.high,
                           fmt::format("mIoU {} % on a scale from 0 to 100, interval {} to {} %", percent(metrics.miou),
                                       percent(interval.miou.low), percent(interval.miou.high)));
  }
  card += protocol_line(evaluation.protocol) + "<dl class='figures'>\n" +
          share_term("mIoU of classes present", metrics.miou_present) +
          share_term("mean class accuracy", metrics.macc) +
          (whole ? share_term("mIoU", metrics.miou) : share_term(accuracy_name(data), metrics.all_acc)) +
          term("pictures", grouped(static_cast<int64_t>(evaluation.pictures.size()))) + "</dl>\n";
  if (absent > 0) {
    card +=
        paragraph("note", fmt::format("{} of {} classes are absent, in truth and prediction alike: in the mIoU they "
                                      "count as 0 (semseg), in the mIoU of classes present they are left out "
                                      "(mmsegmentation).",
                                      absent, metrics.classes.size()));
  }
  return card + (whole ? "" : interval_text(metrics.miou, interval)) + "</div>\n";
}

/// The validations that the log has, where the card above is not the only one of them.
std::string validation_card(const ReportData& data) {
  const ValidationPoint* best = data.history.best_validation();
  if (best == nullptr || (data.is_validation && data.history.validations.size() < 2)) return "";
  const ValidationPoint& last = data.history.validations.back();
  std::string card = "<div class='card'>\n<h3>Validation during training</h3>\n<dl class='figures'>\n";
  card += share_term(fmt::format("last mIoU, epoch {:.0f}", last.epoch), last.miou);
  card += share_term(fmt::format("best mIoU, epoch {:.0f}", best->epoch), best->miou);
  card += share_term(accuracy_name(data) + ", last", last.all_acc) + "</dl>\n" + protocol_line(last.protocol);
  if (best != &last) {
    card += paragraph("note",
                      "The best of several validations is chosen on the pictures it is measured by, so it promises a "
                      "little too much.");
  }
  return card + "</div>\n";
}

std::string loss_card(const ReportData& data) {
  if (data.history.steps.empty()) return "";
  const TrainPoint& last = data.history.steps.back();
  return "<div class='card'>\n<h3>Training</h3>\n<dl class='figures'>\n" + term("last loss", figure(last.loss)) +
         share_term(accuracy_name(data) + ", training crops", last.accuracy) +
         term("iterations", grouped(last.iteration)) + term("epoch", fmt::format("{:.0f}", last.epoch)) + "</dl>\n" +
         protocol_line(
             "means over the iterations since the line of the log before, on augmented crops, with dropout, "
             "while the weights move") +
         "</div>\n";
}

std::string advice(const ReportData& data) {
  if (data.evaluation == nullptr) {
    return paragraph("note",
                     "Nothing was validated in this run; TRAIN.evaluate true does, and <code>giza eval</code> measures "
                     "the test protocol.");
  }
  if (data.is_validation) {
    return paragraph("note",
                     "These are validations. The test protocol (<code>giza eval</code>) is another measurement: "
                     "compare numbers only where their protocols are the same, word for word.");
  }
  if (data.history.validations.empty()) return "";
  const bool same = data.history.validations.back().protocol == data.evaluation->protocol;
  return paragraph("note", same ? "Both numbers were made by the same protocol."
                                : "The protocols differ, so do the numbers: neither stands for the other.");
}

std::string headline_section(const ReportData& data) {
  std::string section = "<div class='cards'>\n";
  if (data.evaluation != nullptr) section += evaluation_card(data);
  const std::string others = validation_card(data) + loss_card(data);
  if (!others.empty()) section += "<div class='stack'>\n" + others + "</div>\n";
  if (data.evaluation == nullptr && others.empty()) section += paragraph("nothing", "Nothing was logged yet.");
  return section + "</div>\n" + advice(data);
}

// The configuration, the machine, the data, and how to make it all again.

std::string shown(const std::string& value) {
  return value.empty() || value == "''" ? "<span class='empty'>empty</span>"
                                        : "<code>" + escape_markup(value) + "</code>";
}

std::string changed_table(const ReportData& data) {
  std::string rows;
  for (const ReportSetting& setting : data.settings) {
    if (!setting.changed) continue;
    rows += fmt::format("<tr><th scope='row'>{}.{}</th><td>{}</td><td>{}</td></tr>\n", escape_markup(setting.section),
                        escape_markup(setting.key), shown(setting.value), shown(setting.default_value));
  }
  if (rows.empty()) return paragraph("nothing", "Every key has its default value.");
  return table("Keys that differ from their defaults", "settings", {{"key"}, {"value"}, {"default"}}, rows);
}

/// The YAML with the lines of changed keys marked.
std::string marked_config(const ReportData& data) {
  std::set<std::pair<std::string, std::string>> changed;
  for (const ReportSetting& setting : data.settings) {
    if (setting.changed) changed.emplace(setting.section, setting.key);
  }
  std::istringstream lines(data.config_text);
  std::string section, html;
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line[0] != ' ') section = line.substr(0, line.find(':'));
    const size_t start = line.find_first_not_of(' ');
    const std::string key = start == std::string::npos ? "" : line.substr(start, line.find(':') - start);
    const bool mark = start != 0 && changed.contains({section, key});
    html += fmt::format("{}{}{}\n", mark ? "<mark>" : "", escape_markup(line), mark ? "</mark>" : "");
  }
  return "<pre><code>" + html + "</code></pre>\n";
}

std::string settings_section(const ReportData& data) {
  if (data.settings.empty() && data.config_text.empty()) return "";
  std::string unused;
  if (!data.unused.empty()) {
    unused = paragraph("note", fmt::format("Without a meaning on a CPU, ignored: {}.",
                                           escape_markup(fmt::format("{}", fmt::join(data.unused, ", ")))));
  }
  return "<h3>Changed from the defaults</h3>\n" + changed_table(data) + unused +
         "<details>\n<summary>All of it, resolved; changed lines are marked</summary>\n" +
         scroll_box("The resolved configuration", marked_config(data)) + "</details>\n";
}

std::string machine_section(const ReportData& data) {
  std::string lists;
  for (const ReportList& list : data.lists) {
    lists += fmt::format("<tr><th scope='row'>{}</th><td><code>{}</code></td>", escape_markup(list.role),
                         escape_markup(list.path)) +
             count_cell(list.entries) + fmt::format("<td><code>{}</code></td></tr>\n", escape_markup(list.hash));
  }
  std::string section = "<div class='panels'>\n<div class='panel'>\n<h3>Machine</h3>\n" + facts(data.machine) +
                        "</div>\n<div class='panel'>\n<h3>Time</h3>\n" + facts(data.time) + "</div>\n</div>\n";
  if (!lists.empty()) {
    section += "<h3>Lists of the data</h3>\n" +
               table("Lists of the data", "settings",
                     {{"list"}, {"file"}, {"pictures", Column::number}, {"hash of the file (FNV-1a, 64 bits)"}}, lists);
  }
  if (!data.command.empty()) {
    section += "<h3>To make this again</h3>\n" +
               scroll_box("Command", "<pre><code>" + escape_markup(data.command) + "</code></pre>\n") +
               paragraph("caption",
                         "The same build, configuration and data give the same bits at any number of threads, on every "
                         "processor with a fused multiply-add.");
  }
  return section;
}

}  // namespace

std::string html_report(const ReportData& data) {
  const HtmlSection sections[] = {
      {"results", "Results", "Results", headline_section(data)},
      {"training", "Training", "Training", training_section(data)},
      {"classes", "Classes", "Classes", classes_section(data)},
      {"confusion", "Confusion", "Confusion", confusion_section(data)},
      {"boundary", "Boundaries", "Boundaries and interiors", boundary_section(data)},
      {"pictures", "Pictures", "Pictures", pictures_section(data)},
      {"settings", "Configuration", "Configuration", settings_section(data)},
      {"machine", "Machine and data", "Machine and data", machine_section(data)},
  };
  return html_page(data.title, data.kind, data.summary, sections, data.written);
}

}  // namespace giza::train
