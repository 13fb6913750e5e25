// giza explore: its page as a file.
#include "train/explore/explore_page.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "tests/support/refusal.h"
#include "tests/train/explore/tiny_networks.h"
#include "tests/train/report/report_testing.h"
#include "train/data/image/png.h"

namespace giza::train {
namespace {

/// The data that the page's script reads.
nlohmann::json data_of(const std::string& page) {
  const std::string opening = "<script type='application/json'>";
  const size_t start = page.find(opening) + opening.size();
  return nlohmann::json::parse(page.substr(start, page.find("</script>", start) - start));
}

/// The labels of an answer, by the palette of the page.
std::string decoded(const std::string& address) {
  const std::string opening = "data:image/png;base64,",
                    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  REQUIRE(address.starts_with(opening));
  std::string bytes;
  unsigned bits = 0;
  int count = 0;
  for (const char letter : address.substr(opening.size())) {
    const size_t value = letters.find(letter);
    if (value == std::string::npos) break;
    bits = bits << 6 | static_cast<unsigned>(value);
    if ((count += 6) < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 255U);
  }
  return bytes;
}

TEST_CASE("explore page: everything that was worked out is on it") {
  const auto baseline = tiny_parser(tiny_options("baseline")), psp = tiny_parser(tiny_options("psp"));
  const Image picture = tiny_picture(57, 41), other = tiny_picture(40, 44, 2);
  LabelMap truth(57, 41, 3);
  truth.at(0, 0) = 255;
  const Exploration exploration = explore({tiny_subject(*baseline, "baseline"), tiny_subject(*psp, "PSPNet")}, picture,
                                          &truth, &other, tiny_page_options());
  const std::string page =
      explore_page(exploration, {.picture = "street.png", .other = "other.png", .command = "giza explore x"});
  CHECK(page.starts_with("<!DOCTYPE html>"));
  CHECK(page.find("http") == page.find("http-equiv"));  // and nowhere else
  CHECK(page.find("http", page.find("http-equiv") + 4) == std::string::npos);
  CHECK(contains(page, "street.png"));
  CHECK(contains(page, "taken from <bdi>other.png</bdi>"));
  CHECK(contains(page, "ignored"));
  CHECK(!contains(page, "<select>"));
  const nlohmann::json data = data_of(page);
  CHECK(data["names"].size() == 5);
  CHECK(data["points"].size() == exploration.points.size());
  CHECK(data["points"][0] == nlohmann::json({exploration.points[0].x, exploration.points[0].y, 3}));
  CHECK(data["networks"][0]["states"].size() == 1);
  CHECK(data["networks"][0]["states"].contains(""));
  CHECK(data["networks"][1]["states"].size() == 31);
  for (const ExploredState& state : exploration.networks[1].states) {
    const nlohmann::json& shown = data["networks"][1]["states"][to_string(state.bins)];
    const std::string png = decoded(shown["labels"]);
    const LabelMap labels = decode_png_labels("page", {reinterpret_cast<const uint8_t*>(png.data()), png.size()});
    CHECK(labels.index == state.labels.index);
    CHECK(shown.contains("fields"));
    REQUIRE(shown["points"].size() == state.points.size());
    for (size_t i = 0; i < state.points.size(); ++i) {
      const nlohmann::json& point = shown["points"][i];
      CHECK(point["top"][0][0] == state.points[i].top[0].label);
      REQUIRE(point["parts"][0].size() == 6);
      double sum = 0;
      for (const double part : point["parts"][0]) sum += part;
      CHECK(sum == doctest::Approx(point["top"][0][2].get<double>()).epsilon(5e-3));
    }
  }
}

TEST_CASE("explore page: without a pyramid there are no switches, with many bins a list of states") {
  const PlainParser plain;
  const auto page_of = [](const models::SceneParser& model) {
    return explore_page(
        explore({tiny_subject(model, "net")}, tiny_picture(30, 22), nullptr, nullptr, tiny_page_options()),
        {.picture = "a.png"});
  };
  const std::string without = page_of(plain);
  CHECK(contains(without, "there is nothing to switch"));
  CHECK(contains(without, "Only the head of a PSPNet"));
  CHECK(!contains(without, "<fieldset"));
  CHECK(!contains(without, "<b>Sums.</b>"));
  CHECK(!contains(without, "data-kind='truth'"));
  const auto many = tiny_parser(tiny_options("psp", [](auto& options) {
    options.settings["bins"] = std::vector<int>{1, 2, 3, 4, 5};
  }));
  const std::string with = page_of(*many);
  CHECK(contains(with, "Instead of all 32 subsets"));
  CHECK(contains(with, "<option value='11111'>all bins</option>"));
  CHECK(contains(with, "<option value='00000'>all off</option>"));
  CHECK(contains(with, "<option value='11011'>3×3 alone off</option>"));
  CHECK(contains(with, "<option value='00100'>3×3 alone on, others off</option>"));
}

TEST_CASE("explore page: names of files and classes can be anything") {
  const auto psp = tiny_parser(tiny_options("psp"));
  ExploreOptions options = tiny_page_options();
  options.points = 1;
  options.fields = ExploreOptions::Fields::ends;
  options.names = {kScript, kBreakOut, "bytes that are no text \xff\xfe", "</script><!--", ""};
  ExploreSubject subject = tiny_subject(*psp, kBreakOut);
  subject.file = kScript;
  const Image picture = tiny_picture(20, 20);
  const std::string page = explore_page(explore({subject}, picture, nullptr, &picture, options),
                                        {.picture = kScript, .other = kBreakOut, .command = kScript});
  CHECK(!contains(page, "<script>document.title"));
  CHECK(!contains(page, "<img src=x"));
  CHECK(!contains(page, "</script><!--"));
  const nlohmann::json data = data_of(page);
  CHECK(data["names"][0] == kScript);
  CHECK(data["names"][3] == "</script><!--");
}

TEST_CASE("explore page: no two classes have one colour, and none that of ignored pixels") {
  std::vector<Color> colors(256, Color{154, 149, 140});
  colors[0] = {0, 0, 0};
  colors[1] = {255, 255, 255};
  const std::vector<Color> distinct = distinct_colors(colors);
  CHECK(std::set<Color>(distinct.begin(), distinct.end()).size() == 256);
  CHECK(distinct[0] == colors[0]);
  CHECK(distinct[1] == colors[1]);
  CHECK(distinct[2] != colors[2]);
}

TEST_CASE("explore page: 256 classes and an ignored one") {
  const auto parser = tiny_parser(tiny_options("baseline", [](auto& options) { options.classes = 256; }));
  ExploreOptions options = tiny_page_options(256);
  options.points = 1;
  LabelMap truth(20, 20, 255);
  const std::string page = explore_page(
      explore({tiny_subject(*parser, "many")}, tiny_picture(20, 20), &truth, nullptr, options), {.picture = "a"});
  CHECK(data_of(page)["points"][0][2] == -1);
}

}  // namespace
}  // namespace giza::train
