// report.html in a real browser: Chromium without a window, where it is installed.
#include <doctest/doctest.h>

#include "tests/support/chromium.h"
#include "tests/support/refusal.h"
#include "tests/support/skip.h"
#include "tests/train/report/html_visit.h"
#include "tests/train/report/report_testing.h"

namespace giza::train {
namespace {

const std::string kTitle = "run " + kScript + " – evaluation report";

TEST_SUITE_BEGIN("needs a browser");

TEST_CASE("browser: a phone and a desktop, light and dark, without an error, a request or a word that cannot be read") {
  if (find_chromium().empty()) {
    skip_test("no chromium here");
    return;
  }
  const Evaluation evaluation = striped_evaluation(40, 12, 96, 64);
  const std::string html = html_report(report_data(&evaluation));
  for (const bool dark : {false, true}) {
    CAPTURE(dark);
    const Visit result = visit(html, dark);
    CHECK(result.console == "");
    check_page(result.phone, 375, dark, kTitle);
    check_page(result.desktop, 1200, dark, kTitle);
    CHECK(result.phone["sorted"] == "ascending true");
    CHECK(contains(result.phone["readout"].get<std::string>(), "iteration "));
    CHECK(contains(result.desktop["readout"].get<std::string>(), "total "));
  }
}

TEST_CASE("browser: a page with next to nothing, and one class") {
  if (find_chromium().empty()) {
    skip_test("no chromium here");
    return;
  }
  const Evaluation evaluation = striped_evaluation(1, 1);
  for (const ReportData& data : {report_data(nullptr, 1), report_data(nullptr, 0), report_data(&evaluation, 0)}) {
    const Visit result = visit(html_report(data), false);
    CHECK(result.console == "");
    check_page(result.phone, 375, false, kTitle);
    check_page(result.desktop, 1200, false, kTitle);
  }
}

TEST_CASE("browser: the probe finds what is wrong") {
  if (find_chromium().empty()) {
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
