// What all pages share: the frame, cells, tables and boxes.
#include "train/report/html_parts.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "tensor/base/file.h"
#include "train/draw/svg.h"

namespace giza::train {
namespace {

/// By this a page is known as giza's.
constexpr std::string_view kPageGenerator = "<meta name='generator' content='giza'>";

}  // namespace

std::string html_page(const std::string& title, const std::string& kind, const std::vector<std::string>& summary,
                      std::span<const HtmlSection> sections, const std::string& written) {
  std::string navigation, content;
  for (const HtmlSection& section : sections) {
    if (section.content.empty()) continue;
    navigation += fmt::format("<li><a href='#{}'>{}</a></li>", section.id, section.name);
    content +=
        fmt::format("<section id='{0}' aria-labelledby='{0}-title'>\n<h2 id='{0}-title'>{1}</h2>\n{2}</section>\n",
                    section.id, section.title, section.content);
  }
  std::string phrases;
  for (const std::string& phrase : summary) phrases += fmt::format("<li>{}</li>", escape_markup(phrase));
  return html_document(
      fmt::format("{} – {} report", title, kind), kReportStyle,
      fmt::format("<a class='skip' href='#content'>To the results</a>\n"
                  "<header class='top'>\n<p class='kicker'>giza <span>{} report</span></p>\n<h1>{}</h1>\n<ul "
                  "class='summary'>{}</ul>\n</header>\n",
                  escape_markup(kind), escape_markup(title), phrases) +
          "<nav aria-label='Sections'><ul>" + navigation + "</ul></nav>\n<main id='content'>\n" + content +
          fmt::format("</main>\n<footer>\n<p>Written by giza, {}. One file, nothing is loaded from "
                      "elsewhere.</p>\n</footer>\n",
                      escape_markup(written)),
      kReportScript);
}

std::string html_document(const std::string& title, const std::string& style, const std::string& body,
                          const std::string& script) {
  // The policy lets nothing be fetched, whatever this file may come to hold.
  return fmt::format(
             "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
             "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; img-src data:; style-src "
             "'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
             "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
             "<meta name='color-scheme' content='light dark'>\n{}\n"
             "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n",
             kPageGenerator, escape_markup(title), style) +
         body + "<script>" + script + "</script>\n</body>\n</html>\n";
}

bool is_foreign_page(const std::string& path) {
  constexpr size_t kHead = 1024;  // bytes, in which the generator stands
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return false;
  const std::vector<uint8_t> head = read_file_prefix(path, kHead);
  return !head.empty() &&
         std::string_view(reinterpret_cast<const char*>(head.data()), head.size()).find(kPageGenerator) ==
             std::string_view::npos;
}

std::string facts(const std::vector<ReportFact>& list) {
  std::string rows;
  for (const ReportFact& fact : list) {
    rows += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", escape_markup(fact.name), escape_markup(fact.value));
  }
  return "<dl class='facts'>\n" + rows + "</dl>\n";
}

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

Color class_color(std::span<const Color> colors, int label) {
  if (static_cast<size_t>(label) < colors.size()) return colors[static_cast<size_t>(label)];
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
