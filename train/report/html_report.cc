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

std::string facts(const std::vector<ReportFact>& list) {
  std::string rows;
  for (const ReportFact& fact : list) {
    rows += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", escape_markup(fact.name), escape_markup(fact.value));
  }
  return "<dl class='facts'>\n" + rows + "</dl>\n";
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
                         "The same build, SIMD target, configuration and data give the same bits at any number of "
                         "threads.");
  }
  return section;
}

struct Section {
  const char* id;
  const char* name;  ///< in the list of sections
  const char* title;
  std::string content;
};

}  // namespace

std::string html_report(const ReportData& data) {
  const Section sections[] = {
      {"results", "Results", "Results", headline_section(data)},
      {"training", "Training", "Training", training_section(data)},
      {"classes", "Classes", "Classes", classes_section(data)},
      {"confusion", "Confusion", "Confusion", confusion_section(data)},
      {"boundary", "Boundaries", "Boundaries and interiors", boundary_section(data)},
      {"pictures", "Pictures", "Pictures", pictures_section(data)},
      {"settings", "Configuration", "Configuration", settings_section(data)},
      {"machine", "Machine and data", "Machine and data", machine_section(data)},
  };
  std::string navigation, content;
  for (const Section& section : sections) {
    if (section.content.empty()) continue;
    navigation += fmt::format("<li><a href='#{}'>{}</a></li>", section.id, section.name);
    content +=
        fmt::format("<section id='{0}' aria-labelledby='{0}-title'>\n<h2 id='{0}-title'>{1}</h2>\n{2}</section>\n",
                    section.id, section.title, section.content);
  }
  std::string summary;
  for (const std::string& phrase : data.summary) summary += fmt::format("<li>{}</li>", escape_markup(phrase));
  const std::string kind = escape_markup(data.kind);
  return html_document(
      fmt::format("{} – {} report", data.title, data.kind), kReportStyle,
      fmt::format("<a class='skip' href='#content'>To the results</a>\n"
                  "<header class='top'>\n<p class='kicker'>giza <span>{} report</span></p>\n<h1>{}</h1>\n<ul "
                  "class='summary'>{}</ul>\n</header>\n",
                  kind, escape_markup(data.title), summary) +
          "<nav aria-label='Sections'><ul>" + navigation + "</ul></nav>\n<main id='content'>\n" + content +
          fmt::format("</main>\n<footer>\n<p>Written by giza, {}. One file, nothing is loaded from "
                      "elsewhere.</p>\n</footer>\n",
                      escape_markup(data.written)),
      kReportScript);
}

// Shared by the sections.

std::string html_document(const std::string& title, const std::string& style, const std::string& body,
                          const std::string& script) {
  // The policy lets nothing be fetched, whatever this file may come to hold.
  return fmt::format(
             "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
             "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; img-src data:; style-src "
             "'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
             "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
             "<meta name='color-scheme' content='light dark'>\n<meta name='generator' content='giza'>\n"
             "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n",
             escape_markup(title), style) +
         body + "<script>" + script + "</script>\n</body>\n</html>\n";
}

// Shared by the sections.

std::string judged(const ReportData& data) { return data.whole_pictures ? "picture" : "pixel"; }

std::string accuracy_name(const ReportData& data) { return data.whole_pictures ? "top-1 accuracy" : "pixel accuracy"; }

std::string percent(double share) { return std::isfinite(share) ? fmt::format("{:.2f}", share * 100) : "–"; }

std::string figure(double value) { return std::isfinite(value) ? fmt::format("{:.4g}", value) : "–"; }

std::string grouped(int64_t number) {
  std::string digits = fmt::format("{}", number < 0 ? -number : number), text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += "&#8239;";
    text += digits[i];
  }
  return number < 0 ? "−" + text : text;
}

Color class_color(const ReportData& data, int label) {
  if (static_cast<size_t>(label) < data.colors.size()) return data.colors[static_cast<size_t>(label)];
  return voc_color(static_cast<size_t>(label));  // as masks are drawn
}

std::string swatch(const Color& color) {
  return fmt::format("<i class='swatch' style='background:#{:02x}{:02x}{:02x}'></i>", color[0], color[1], color[2]);
}

std::string scroll_box(const std::string& label, const std::string& content) {
  return fmt::format("<div class='scroll' role='region' tabindex='0' aria-label=\"{}\">\n{}</div>\n",
                     escape_markup(label), content);
}

std::string number_cell(double value, const std::string& shown, std::string_view kind) {
  return fmt::format("<td class='n{}{}' data-v='{:.9g}'>{}</td>", kind.empty() ? "" : " ", kind,
                     std::isfinite(value) ? value : -1, shown);
}

std::string share_cell(double share) { return number_cell(share, percent(share)); }

std::string count_cell(int64_t count) { return number_cell(static_cast<double>(count), grouped(count)); }

std::string table(const std::string& label, const char* kind, std::initializer_list<Column> columns,
                  const std::string& rows) {
  std::string head;
  for (const Column& column : columns) {
    head += fmt::format("<th{}>{}{}</th>", column.kind == Column::text ? "" : " class='n'", column.title,
                        column.kind == Column::share ? "&#8239;%" : "");
  }
  return scroll_box(label, fmt::format("<table{}><thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody></table>\n",
                                       *kind == '\0' ? "" : fmt::format(" class='{}'", kind), head, rows));
}

std::string paragraph(const char* kind, const std::string& html) {
  return fmt::format("<p class='{}'>{}</p>\n", kind, html);
}

}  // namespace giza::train
