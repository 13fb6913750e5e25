// Looks at a page of giza in a browser.
#include "tests/train/report/html_visit.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>

#include "tests/support/chromium.h"
#include "tests/support/refusal.h"
#include "tests/support/temp_folder.h"

namespace giza::train {

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
      find_chromium(), folder.path(), dark ? 0 : 1);
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

void check_page(const nlohmann::json& page, int width, bool dark, const std::string& title) {
  REQUIRE_MESSAGE(!page.contains("error"), page.dump());
  CHECK(page["width"] == width);
  CHECK_MESSAGE(page["scroll_width"] <= width, page["overflow"].dump());
  CHECK_MESSAGE(page["overflow"].empty(), page["overflow"].dump());
  CHECK_MESSAGE(page["requests"].empty(), page["requests"].dump());
  CHECK(page["unnamed"] == 0);
  CHECK(page["foreign"] == 0);
  CHECK(page["dark"] == dark);
  CHECK_MESSAGE(page["contrast"] >= 4.5, page["weakest"].dump());
  CHECK(page["title"] == title);
}

}  // namespace giza::train
