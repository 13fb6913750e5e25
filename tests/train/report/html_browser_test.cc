// report.html in a real browser: Chromium without a window, where it is installed.
#include <doctest/doctest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "tests/support/refusal.h"
#include "tests/support/skip.h"
#include "tests/support/temp_folder.h"
#include "tests/train/report/report_testing.h"

namespace giza::train {
namespace {

/// The name of the browser, empty without one.
std::string browser() {
  for (const char* name : {"chromium", "chromium-browser", "google-chrome"}) {
    if (std::system(fmt::format("command -v {} >/dev/null 2>&1", name).c_str()) == 0) return name;
  }
  return "";
}

struct Visit {
  nlohmann::json phone, desktop;
  std::string console;  // what the pages said
};

Visit visit(const std::string& html, bool dark) {
  const TempFolder folder;
  write_bytes(folder.file("report.html"), html);
  std::string probe = read_bytes(GIZA_SOURCE_DIR "/tests/train/report/report_probe.html");
  for (size_t at = probe.find("\"PAGE\""); at != std::string::npos; at = probe.find("\"PAGE\"")) {
    probe.replace(at, 6, "\"report.html\"");
  }
  write_bytes(folder.file("probe.html"), probe);
  // No sandbox: the pages are ours, and containers often have none. The frames are read across files.
  const std::string command = fmt::format(
      "timeout 120 {0} --headless --hide-scrollbars --no-sandbox --disable-gpu --disable-dev-shm-usage "
      "--allow-file-access-from-files "
      "--window-size=1400,1000 --user-data-dir={1}/profile --enable-logging=stderr --virtual-time-budget=20000 "
      "--blink-settings=preferredColorScheme={2} --dump-dom file://{1}/probe.html >{1}/dom.txt 2>{1}/log.txt",
      browser(), folder.path(), dark ? 0 : 1);
  const int status = std::system(command.c_str());
  const std::string log = read_bytes(folder.file("log.txt")), dom = read_bytes(folder.file("dom.txt"));
  REQUIRE_MESSAGE((WIFEXITED(status) && WEXITSTATUS(status) == 0), log);
  Visit result;
  for (size_t at = 0; at < log.size();) {
    const size_t end = std::min(log.find('\n', at), log.size());
    const std::string line = log.substr(at, end - at);
    if (contains(line, "CONSOLE")) result.console += line + "\n";
    at = end + 1;
  }
  const std::string opening = "<pre id=\"result\">";
  const size_t start = dom.find(opening), stop = dom.find("</pre>", start);
  REQUIRE(start != std::string::npos);
  const auto json =
      nlohmann::json::parse(dom.substr(start + opening.size(), stop - start - opening.size()), nullptr, false);
  REQUIRE_MESSAGE(json.is_object(), dom.substr(0, 2000));
  result.phone = json.at("phone");
  result.desktop = json.at("desktop");
  return result;
}

void check_page(const nlohmann::json& page, int width, bool dark) {
  REQUIRE_MESSAGE(!page.contains("error"), page.dump());
  CHECK(page["width"] == width);
  CHECK_MESSAGE(page["scroll_width"] <= width, page["overflow"].dump());
  CHECK_MESSAGE(page["overflow"].empty(), page["overflow"].dump());
  CHECK_MESSAGE(page["requests"].empty(), page["requests"].dump());
  CHECK(page["unnamed"] == 0);
  CHECK(page["foreign"] == 0);
  CHECK(page["dark"] == dark);
  CHECK_MESSAGE(page["contrast"] >= 4.5, page["weakest"].dump());
  CHECK(page["title"] == "run " + kScript + " – evaluation report");
}

TEST_SUITE_BEGIN("needs a browser");

TEST_CASE("browser: a phone and a desktop, light and dark, without an error, a request or a word that cannot be read") {
  if (browser().empty()) {
    skip_test("no chromium here");
    return;
  }
  const Evaluation evaluation = striped_evaluation(40, 12, 96, 64);
  const std::string html = html_report(report_data(&evaluation));
  for (const bool dark : {false, true}) {
    CAPTURE(dark);
    const Visit result = visit(html, dark);
    CHECK(result.console == "");
    check_page(result.phone, 375, dark);
    check_page(result.desktop, 1200, dark);
    CHECK(result.phone["sorted"] == "ascending true");
    CHECK(contains(result.phone["readout"].get<std::string>(), "iteration "));
    CHECK(contains(result.desktop["readout"].get<std::string>(), "total "));
  }
}

TEST_CASE("browser: a page with next to nothing, and one class") {
  if (browser().empty()) {
    skip_test("no chromium here");
    return;
  }
  const Evaluation evaluation = striped_evaluation(1, 1);
  for (const ReportData& data : {report_data(nullptr, 1), report_data(nullptr, 0), report_data(&evaluation, 0)}) {
    const Visit result = visit(html_report(data), false);
    CHECK(result.console == "");
    check_page(result.phone, 375, false);
    check_page(result.desktop, 1200, false);
  }
}

TEST_CASE("browser: the probe finds what is wrong") {
  if (browser().empty()) {
    skip_test("no chromium here");
    return;
  }
  std::string html = html_report(report_data(nullptr, 1));
  html.insert(
      html.find("</main>"),
      "<p style='width:2000px;color:#999;background:#888'>too wide and too pale</p><img src='http://127.0.0.1:9/x.png'>"
      "<script>nobody.knows()</script>");
  const Visit result = visit(html, false);
  CHECK(contains(result.console, "nobody is not defined"));
  CHECK(contains(result.console, "Content Security Policy"));
  CHECK(result.phone["scroll_width"] > 375);
  CHECK(result.phone["contrast"] < 2);
  CHECK(result.phone["unnamed"] == 1);
}

TEST_SUITE_END();

}  // namespace
}  // namespace giza::train
