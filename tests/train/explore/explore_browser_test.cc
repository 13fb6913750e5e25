// The page of giza explore in a real browser: how it looks, and what clicks and keys do.
#include <doctest/doctest.h>

#include "tests/support/chromium.h"
#include "tests/support/refusal.h"
#include "tests/support/skip.h"
#include "tests/support/temp_folder.h"
#include "tests/train/explore/tiny_networks.h"
#include "tests/train/report/html_visit.h"
#include "train/explore/explore_page.h"

namespace giza::train {
namespace {

const std::string kTitle = "a picture.png – what a pixel sees";

/// A page of a baseline and a PSPNet, with truth and another picture.
class Page {
 public:
  Page() {
    const auto baseline = tiny_parser(tiny_options("baseline")), psp = tiny_parser(tiny_options("psp"));
    const Image picture = tiny_picture(96, 64), other = tiny_picture(70, 44, 2);
    LabelMap truth(96, 64, 2);
    for (int y = 0; y < 12; ++y) {
      for (int x = 0; x < 96; ++x) truth.at(x, y) = 255;
    }
    ExploreOptions options = tiny_page_options();
    options.points = 24;
    options.names[1] = "a name of a class that is longer than any table has room for, and goes on";
    exploration =
        explore({tiny_subject(*baseline, "baseline"), tiny_subject(*psp, "PSPNet")}, picture, &truth, &other, options);
    html = explore_page(exploration, {.picture = "a picture.png",
                                      .other = "another_picture_with_a_rather_long_name.png",
                                      .command = "giza explore " + std::string(200, 'x')});
  }
  Exploration exploration;
  std::string html;
};
const Page& page() {
  static const Page made;
  return made;
}

std::string text(Chromium& browser, const std::string& selector) {
  return browser.evaluate("document.querySelector(`" + selector + "`).textContent");
}
/// Which point and state the field of a network shows; drawing takes a moment.
void expect_drawn(Chromium& browser, int network, int point, const std::string& state) {
  browser.wait_for(
      fmt::format("document.querySelectorAll('#fields canvas')[{}].dataset.shown === '{} {}'", network, point, state));
}
/// Clicks in the middle of a point.
void click_point(Chromium& browser, const std::string& selector, int point) {
  const Exploration& of = page().exploration;
  const ExplorePoint& at = of.points[static_cast<size_t>(point)];
  browser.click(selector, (at.x + 0.5) / of.picture.width, (at.y + 0.5) / of.picture.height);
}
const ExploredPoint& numbers(size_t network, const std::string& state, int point) {
  for (const ExploredState& each : page().exploration.networks[network].states) {
    if (to_string(each.bins) == state) return each.points[static_cast<size_t>(point)];
  }
  FAIL("there is no state ", state);
  throw Error("no state");
}
std::string name_of(const ExploredPoint& point) {
  return page().exploration.names[static_cast<size_t>(point.top[0].label)];
}

TEST_SUITE_BEGIN("needs a browser");

TEST_CASE("browser: the page of explore, on a phone and a desktop, light and dark") {
  if (find_chromium().empty()) {
    skip_test("no chromium here");
    return;
  }
  for (const bool dark : {false, true}) {
    CAPTURE(dark);
    const Visit result = visit(page().html, dark);
    CHECK(result.console == "");
    check_page(result.phone, 375, dark, kTitle);
    check_page(result.desktop, 1200, dark, kTitle);
  }
}

TEST_CASE("browser: clicks and keys choose the pixel and the bins of explore") {
  if (find_chromium().empty()) {
    skip_test("no chromium here");
    return;
  }
  const Exploration& of = page().exploration;
  REQUIRE(of.columns == 6);
  REQUIRE(of.rows == 4);
  const TempFolder folder;
  write_bytes(folder.file("page.html"), page().html);
  for (const Chromium::Screen screen : {Chromium::Screen{1200, 900, false}, Chromium::Screen{360, 740, true}}) {
    CAPTURE(screen.width);
    Chromium browser(folder.file("page.html"), screen);
    browser.wait_for("document.querySelectorAll('#fields canvas')[1].dataset.shown !== undefined");
    CHECK(browser.evaluate("document.documentElement.scrollWidth") == screen.width);
    CHECK(browser.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") == screen.dark);

    // A click on a field, near a point.
    click_point(browser, "[data-network='0'] canvas", 8);
    expect_drawn(browser, 0, 8, "");
    expect_drawn(browser, 1, 8, "1111");
    CHECK(contains(text(browser, "#said"),
                   fmt::format("Pixel x {}, y {}, truth class 2.", of.points[8].x, of.points[8].y)));
    for (const size_t n : {0, 1}) {
      const ExploredPoint& expected = numbers(n, n == 0 ? "" : "1111", 8);
      const std::string root = fmt::format("#fields [data-network='{}'] ", n);
      CHECK(contains(text(browser, root + ".verdict"), name_of(expected)));
      CHECK(contains(text(browser, root + ".reach"), fmt::format("within {} pixels, nine tenths within {}.",
                                                                 expected.half_radius, expected.most_radius)));
      const std::string score = text(browser, fmt::format("#scores [data-network='{}'] tfoot td.figure", n));
      CHECK(std::abs(std::stod(score.starts_with("−") ? "-" + score.substr(3) : score) - expected.top[0].logit) <
            0.006);
      CHECK(browser.evaluate(fmt::format("document.querySelectorAll(`#scores [data-network='{}'] tbody tr`).length",
                                         n)) == (n == 0 ? 2 : 6));
      CHECK(browser.evaluate(
                fmt::format("document.querySelectorAll(`#scores [data-network='{}'] .chance`).length", n)) == 5);
    }
    // The field is there: the brightest pixels of the canvas are in it, not in the darkened picture.
    const char* brightest =
        "(() => { const c = document.querySelectorAll('#fields canvas')[1]; const d = c.getContext('2d')"
        ".getImageData(0, 0, c.width, c.height).data; let m = 0; for (let i = 0; i < d.length; i += 4) "
        "m = Math.max(m, d[i] - d[i + 2]); return m; })()";
    CHECK(browser.evaluate(brightest) > 60);

    // The arrow keys, as the field now has the focus; at the edge they stop.
    for (const char* key : {"ArrowRight", "ArrowDown", "ArrowLeft", "ArrowLeft", "ArrowUp"}) browser.press(key);
    expect_drawn(browser, 1, 7, "1111");
    for (int i = 0; i < 9; ++i) browser.press("ArrowUp");
    for (int i = 0; i < 9; ++i) browser.press("ArrowLeft");
    expect_drawn(browser, 1, 0, "1111");

    // Bins by a click, by a digit, and by the keyboard alone.
    browser.click(".bins button:nth-child(2)");
    expect_drawn(browser, 1, 0, "1011");
    CHECK(browser.evaluate("document.querySelector('.bins button:nth-child(2)').getAttribute('aria-pressed')") ==
          "false");
    CHECK(browser.evaluate("document.querySelector(`[data-kind=answer][data-network='1'] img`).src === "
                           "data.networks[1].states['1011'].labels") == true);
    browser.press("4");
    expect_drawn(browser, 1, 0, "1010");
    CHECK(contains(text(browser, "#fields [data-network='1'] .verdict"), name_of(numbers(1, "1010", 0))));
    CHECK(contains(text(browser, "#said"), "PSPNet, 2×2, 6×6 off"));
    CHECK(text(browser, "#scores [data-network='1'] tr.off td.figure") == "0.00");
    browser.press("Tab");
    browser.press(" ");  // from the second button to the third
    expect_drawn(browser, 1, 0, "1000");
    browser.click(".modes label:nth-child(2) input");
    expect_drawn(browser, 1, 0, "1sss");
    CHECK(contains(text(browser, "#said"), "swapped"));
    browser.press("0");
    expect_drawn(browser, 1, 0, "1111");
    CHECK(browser.evaluate("document.querySelectorAll('.bins button[aria-pressed=true]').length") == 4);

    // The pictures at the foot choose too, and are read out under the pointer.
    click_point(browser, "[data-kind=answer][data-network='0'] .stage", 20);
    expect_drawn(browser, 0, 20, "");
    browser.wait_for("document.getElementById('readout').textContent.includes('baseline')");
    const ExplorePoint& at = of.points[20];
    CHECK(text(browser, "#readout") == fmt::format("x {}, y {} · truth: class 2 · baseline: {} · PSPNet: {}", at.x,
                                                   at.y, name_of(numbers(0, "", 20)), name_of(numbers(1, "1111", 20))));
    // Above, truth is ignored.
    click_point(browser, "[data-kind=truth] .stage", 0);
    browser.wait_for("document.getElementById('readout').textContent.includes('truth: ignored')");
    CHECK(contains(text(browser, "#said"), "truth ignored"));
    CHECK(browser.console() == "");
  }
}

TEST_CASE("browser: the tab key of explore goes from field to field, to the bins, and on") {
  if (find_chromium().empty()) {
    skip_test("no chromium here");
    return;
  }
  const TempFolder folder;
  write_bytes(folder.file("page.html"), page().html);
  Chromium browser(folder.file("page.html"), {});
  browser.wait_for("document.querySelectorAll('#fields canvas')[1].dataset.shown !== undefined");
  std::vector<std::string> order;
  for (int i = 0; i < 9; ++i) {
    browser.press("Tab");
    order.push_back(
        browser.evaluate("((it) => it.className || it.value || (it.tagName === 'CANVAS' ? 'field of ' + "
                         "it.closest('[data-network]').dataset.network : "
                         "it.textContent))(document.activeElement)"));
  }
  CHECK(order == std::vector<std::string>{"skip", "field of 0", "field of 1", "1×1 1", "2×2 2", "3×3 3", "6×6 4", "0",
                                          "scroll"});
  CHECK(browser.console() == "");
}

TEST_CASE("browser: explore with one network, and a list of states for many bins") {
  if (find_chromium().empty()) {
    skip_test("no chromium here");
    return;
  }
  const auto many = tiny_parser(tiny_options("psp", [](auto& options) {
    options.settings["bins"] = std::vector<int>{1, 2, 3, 4, 5};
  }));
  const TempFolder folder;
  write_bytes(folder.file("page.html"), explore_page(explore({tiny_subject(*many, "PSPNet")}, tiny_picture(40, 90),
                                                             nullptr, nullptr, tiny_page_options()),
                                                     {.picture = "tall.png"}));
  Chromium browser(folder.file("page.html"), {360, 740, false});
  browser.wait_for("document.querySelector('#fields canvas').dataset.shown !== undefined");
  CHECK(browser.evaluate("document.documentElement.scrollWidth") == 360);
  browser.click("#fields canvas", 0.01, 0.01);
  expect_drawn(browser, 0, 0, "11111");
  browser.evaluate("document.querySelector('select').focus()");
  browser.press("ArrowDown");
  expect_drawn(browser, 0, 0, "00000");
  CHECK(contains(text(browser, "#said"), "1×1, 2×2, 3×3, 4×4, 5×5 off"));
  CHECK(browser.console() == "");
}

TEST_SUITE_END();

}  // namespace
}  // namespace giza::train
