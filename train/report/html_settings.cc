// report.html: the configuration, the machine, the data, and how to make it all again.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>
#include <sstream>

#include "train/draw/svg.h"
#include "train/report/html_parts.h"

namespace giza::train {
namespace {

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
  if (rows.empty()) return "<p class='nothing'>Every key has its default value.</p>\n";
  return scroll_box(
      "Keys that differ from their defaults",
      "<table class='settings'><thead><tr><th>key</th><th>value</th><th>default</th></tr></thead>\n<tbody>\n" + rows +
          "</tbody></table>\n");
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

}  // namespace

std::string settings_section(const ReportData& data) {
  if (data.settings.empty() && data.config_text.empty()) return "";
  std::string unused;
  if (!data.unused.empty()) {
    unused = fmt::format("<p class='note'>Without a meaning on a CPU, ignored: {}.</p>\n",
                         escape_markup(fmt::format("{}", fmt::join(data.unused, ", "))));
  }
  return "<section id='settings' aria-labelledby='settings-title'>\n<h2 id='settings-title'>Configuration</h2>\n"
         "<h3>Changed from the defaults</h3>\n" +
         changed_table(data) + unused +
         "<details>\n<summary>All of it, resolved; changed lines are marked</summary>\n" +
         scroll_box("The resolved configuration", marked_config(data)) + "</details>\n</section>\n";
}

std::string machine_section(const ReportData& data) {
  std::string lists;
  for (const ReportList& list : data.lists) {
    lists += fmt::format("<tr><th scope='row'>{}</th><td><code>{}</code></td>", escape_markup(list.role),
                         escape_markup(list.path)) +
             number_cell(static_cast<double>(list.entries), grouped(list.entries)) +
             fmt::format("<td><code>{}</code></td></tr>\n", escape_markup(list.hash));
  }
  std::string section =
      "<section id='machine' aria-labelledby='machine-title'>\n<h2 id='machine-title'>Machine and data</h2>\n<div "
      "class='panels'>\n<div class='panel'>\n<h3>Machine</h3>\n" +
      facts(data.machine) + "</div>\n<div class='panel'>\n<h3>Time</h3>\n" + facts(data.time) + "</div>\n</div>\n";
  if (!lists.empty()) {
    section +=
        "<h3>Lists of the data</h3>\n" + scroll_box("Lists of the data",
                                                    "<table class='settings'><thead><tr><th>list</th><th>file</th><th "
                                                    "class='n'>pictures</th><th>hash of the file "
                                                    "(FNV-1a, 64 bits)</th></tr></thead>\n<tbody>\n" +
                                                        lists + "</tbody></table>\n");
  }
  if (!data.command.empty()) {
    section +=
        "<h3>To make this again</h3>\n" +
        scroll_box("Command", "<pre><code>" + escape_markup(data.command) + "</code></pre>\n") +
        "<p class='caption'>The same build, SIMD target, configuration and data give the same bits at any number of "
        "threads.</p>\n";
  }
  return section + "</section>\n";
}

}  // namespace giza::train
