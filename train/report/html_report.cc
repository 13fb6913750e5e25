// report.html: the page around its sections, and the figures at its head.
#include "train/report/html_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

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
  return fmt::format("<p class='protocol'><span>Protocol</span> {}</p>\n",
                     protocol.empty() ? "not recorded" : escape_markup(protocol));
}

std::string interval_text(double miou, const BootstrapResult& interval) {
  if (interval.resamples == 0) return "";
  std::string text = fmt::format(
      "<p class='note'>95&#8239;% interval <b>{} to {}&#8239;%</b>: the mIoU of {} resamplings of the {} judged "
      "with "
      "replacement (percentile bootstrap, Philox with the fixed seed {}). A resampling that misses a class counts it "
      "as 0; "
      "over the classes each has, the interval is {} to {}&#8239;%. It tells how much the choice of pictures matters, "
      "not "
      "how another training would come out.</p>\n",
      percent(interval.miou.low), percent(interval.miou.high), grouped(interval.resamples), grouped(interval.pictures),
      kBootstrapSeed, percent(interval.miou_present.low), percent(interval.miou_present.high));
  if (miou < interval.miou.low || miou > interval.miou.high) {
    text +=
        "<p class='note warn'>The mIoU itself is not in its interval: some classes are in so few pictures that most "
        "resamplings miss them. The interval over the classes that each has says more here.</p>\n";
  }
  if (interval.pictures < kBootstrapFewPictures) {
    text += fmt::format(
        "<p class='note warn'>Only {} picture{}: too few for the interval to be more than a rough guide; it comes out "
        "too "
        "narrow.</p>\n",
        interval.pictures, interval.pictures == 1 ? "" : "s");
  }
  return text;
}

std::string evaluation_card(const ReportData& data) {
  const Evaluation& evaluation = *data.evaluation;
  const Metrics& metrics = evaluation.metrics;
  const BootstrapResult& interval = evaluation.interval;
  int absent = 0;
  for (const ClassMetrics& figures : metrics.classes) absent += figures.present ? 0 : 1;
  std::string card = fmt::format(
      "<div class='card main'>\n<h3>{}</h3>\n<p class='big'><span class='what'>mIoU</span> {}<span "
      "class='unit'>&#8239;%</span></p>\n",
      escape_markup(data.evaluation_name), percent(metrics.miou));
  if (interval.resamples > 0) {
    card += interval_chart(metrics.miou, interval.miou.low, interval.miou.high,
                           fmt::format("mIoU {} % on a scale from 0 to 100, interval {} to {} %", percent(metrics.miou),
                                       percent(interval.miou.low), percent(interval.miou.high)));
  }
  card += protocol_line(evaluation.protocol) + "<dl class='figures'>\n" +
          share_term("mIoU of classes present", metrics.miou_present) +
          share_term("mean class accuracy", metrics.macc) + share_term("pixel accuracy", metrics.all_acc) +
          term("pictures", grouped(static_cast<int64_t>(evaluation.pictures.size()))) + "</dl>\n";
  if (absent > 0) {
    card += fmt::format(
        "<p class='note'>{} of {} classes are absent, in truth and prediction alike: in the mIoU they count as 0 "
        "(semseg), in "
        "the mIoU of classes present they are left out (mmsegmentation).</p>\n",
        absent, metrics.classes.size());
  }
  return card + interval_text(metrics.miou, interval) + "</div>\n";
}

/// The validations that the log has, where the card above is not the only one of them.
std::string validation_card(const ReportData& data) {
  const ValidationPoint* best = data.history.best_validation();
  if (best == nullptr || (data.is_validation && data.history.validations.size() < 2)) return "";
  const ValidationPoint& last = data.history.validations.back();
  std::string card = "<div class='card'>\n<h3>Validation during training</h3>\n<dl class='figures'>\n";
  card += share_term(fmt::format("last mIoU, epoch {:.0f}", last.epoch), last.miou);
  card += share_term(fmt::format("best mIoU, epoch {:.0f}", best->epoch), best->miou);
  card += share_term("pixel accuracy, last", last.all_acc) + "</dl>\n" + protocol_line(last.protocol);
  if (best != &last) {
    card +=
        "<p class='note'>The best of several validations is chosen on the pictures it is measured by, so it promises a "
        "little too much.</p>\n";
  }
  return card + "</div>\n";
}

std::string loss_card(const ReportData& data) {
  if (data.history.steps.empty()) return "";
  const TrainPoint& last = data.history.steps.back();
  return "<div class='card'>\n<h3>Training</h3>\n<dl class='figures'>\n" + term("last loss", figure(last.loss)) +
         share_term("pixel accuracy, training crops", last.accuracy) + term("iterations", grouped(last.iteration)) +
         term("epoch", fmt::format("{:.0f}", last.epoch)) +
         "</dl>\n<p class='protocol'><span>Protocol</span> means over the iterations since the line of the log before, "
         "on "
         "augmented crops, with dropout, while the weights move</p>\n</div>\n";
}

std::string advice(const ReportData& data) {
  if (data.evaluation == nullptr) {
    return "<p class='note'>Nothing was validated in this run; TRAIN.evaluate true does, and <code>giza eval</code> "
           "measures "
           "the test protocol.</p>\n";
  }
  if (data.is_validation) {
    return "<p class='note'>These are validations. The test protocol (<code>giza eval</code>) is another measurement: "
           "compare "
           "numbers only where their protocols are the same, word for word.</p>\n";
  }
  if (data.history.validations.empty()) return "";
  const bool same = data.history.validations.back().protocol == data.evaluation->protocol;
  return fmt::format("<p class='note'>{}</p>\n",
                     same ? "Both numbers were made by the same protocol."
                          : "The protocols differ, so do the numbers: neither stands for the other.");
}

struct Section {
  const char* id;
  const char* name;
  std::string content;
};

}  // namespace

std::string headline_section(const ReportData& data) {
  std::string section =
      "<section id='results' aria-labelledby='results-title'>\n<h2 id='results-title'>Results</h2>\n"
      "<div class='cards'>\n";
  if (data.evaluation != nullptr) section += evaluation_card(data);
  const std::string others = validation_card(data) + loss_card(data);
  if (!others.empty()) section += "<div class='stack'>\n" + others + "</div>\n";
  if (data.evaluation == nullptr && others.empty()) section += "<p class='nothing'>Nothing was logged yet.</p>\n";
  return section + "</div>\n" + advice(data) + "</section>\n";
}

std::string html_report(const ReportData& data) {
  const std::vector<Section> sections = {
      {"results", "Results", headline_section(data)},        {"training", "Training", training_section(data)},
      {"classes", "Classes", classes_section(data)},         {"confusion", "Confusion", confusion_section(data)},
      {"boundary", "Boundaries", boundary_section(data)},    {"pictures", "Pictures", pictures_section(data)},
      {"settings", "Configuration", settings_section(data)}, {"machine", "Machine and data", machine_section(data)}};
  std::string navigation, content;
  for (const Section& section : sections) {
    if (section.content.empty()) continue;
    navigation += fmt::format("<li><a href='#{}'>{}</a></li>", section.id, section.name);
    content += section.content;
  }
  std::string summary;
  for (const std::string& phrase : data.summary) summary += fmt::format("<li>{}</li>", escape_markup(phrase));
  const std::string title = escape_markup(data.title);
  // The policy lets nothing be fetched, whatever this file may come to hold.
  return fmt::format(
             "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
             "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; img-src data:; style-src "
             "'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
             "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
             "<meta name='color-scheme' content='light dark'>\n<meta name='generator' content='giza'>\n"
             "<title>{} – {} report</title>\n<style>{}</style>\n</head>\n<body>\n"
             "<a class='skip' href='#content'>To the results</a>\n"
             "<header class='top'>\n<p class='kicker'>giza <span>{} report</span></p>\n<h1>{}</h1>\n<ul "
             "class='summary'>{}</ul>\n</header>\n",
             title, escape_markup(data.kind), kReportStyle, escape_markup(data.kind), title, summary) +
         "<nav aria-label='Sections'><ul>" + navigation + "</ul></nav>\n<main id='content'>\n" + content +
         fmt::format(
             "</main>\n<footer>\n<p>Written by giza, {}. One file, nothing is loaded from elsewhere.</p>\n</footer>\n",
             escape_markup(data.written)) +
         "<script>" + kReportScript + "</script>\n</body>\n</html>\n";
}

// Shared by the sections.

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

}  // namespace giza::train
