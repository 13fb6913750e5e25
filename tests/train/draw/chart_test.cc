// Charts: what is drawn, where, and that nothing breaks them.
#include "train/draw/chart.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tensor/base/check.h"
#include "tests/support/refusal.h"
#include "train/draw/svg.h"

namespace giza::train {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++found;
  return found;
}

TEST_CASE("svg: text cannot leave its place, whatever its bytes") {
  CHECK(escape_markup("a & b < c > d \" e ' f") == "a &amp; b &lt; c &gt; d &quot; e &#39; f");
  CHECK(escape_markup("Straße 東 🙂\n") == "Straße 東 🙂\n");
  const std::string bad = "\xEF\xBF\xBD";
  CHECK(escape_markup(std::string("\0", 1)) == bad);
  CHECK(escape_markup("\x1b[31m") == bad + "[31m");
  CHECK(escape_markup("\xff<") == bad + "&lt;");
  CHECK(escape_markup("\xc0\xbc") == bad + bad);            // an overlong <
  CHECK(escape_markup("\xed\xa0\x80") == bad + bad + bad);  // a surrogate
  CHECK(escape_markup("\xe6\x9d") == bad + bad);            // torn at the end
  CHECK(escape_markup("\xf4\x90\x80\x80") == bad + bad + bad + bad);
  CHECK(escape_markup("\xc2\x85") == bad);  // a control character of Latin-1
  CHECK(shorten("abcdef", 6) == "abcdef");
  CHECK(shorten("abcdefg", 6) == "abcde…");
  CHECK(shorten("äöüäöüä", 6) == "äöüäö…");
}

TEST_CASE("svg: axes are marked at round values") {
  CHECK(axis_marks({0, 1, 0, 100}, 5) == std::vector<double>{0, 0.2, 0.4, 0.6000000000000001, 0.8, 1});
  CHECK(axis_marks({0.5, 200, 0, 100, true}, 4) == std::vector<double>{1, 10, 100});
  CHECK(axis_marks({1, 9, 0, 100, true}, 5).size() == 3);
  const Axis axis = round_axis(0.13, 0.87, 5);
  CHECK(axis.low == 0);
  CHECK(axis.high == doctest::Approx(1));
  for (const auto& [low, high] : {std::pair{3.0, 3.0}, {0.0, 0.0}, {-1e-300, 1e-300}, {1e300, 1e300}}) {
    const Axis same = round_axis(low, high, 5);
    CHECK(same.low < same.high);
    CHECK(std::isfinite(same.low));
    CHECK(std::isfinite(same.high));
    CHECK(axis_marks({same.low, same.high, 0, 1}, 5).size() < 30);
  }
  CHECK(round_axis(kNaN, kInfinity, 5).high == 1);
  CHECK(short_number(0.05) == "0.05");
  CHECK(short_number(12500) == "12.5k");
  CHECK(short_number(2e6) == "2M");
}

TEST_CASE("chart: thinning keeps means and extremes") {
  Series series{"s", {}, {}};
  for (int i = 0; i < 1000; ++i) {
    series.x.push_back(i);
    series.y.push_back(i == 505 ? kNaN : i);
  }
  CHECK(thin_out(series, 1000).low.empty());
  const Series thinned = thin_out(series, 100);
  REQUIRE(thinned.y.size() == 100);
  CHECK(thinned.x[0] == 4.5);
  CHECK(thinned.y[0] == 4.5);
  CHECK(thinned.low[99] == 990);
  CHECK(thinned.high[99] == 999);
  CHECK(thinned.y[50] == doctest::Approx((5045.0 - 505) / 9));
}

TEST_CASE("chart: a band of one's own, its extremes when thinned, and an axis that covers more") {
  Series series{"s", {0, 1}, {1, 2}, {0, 1}, {2, 4}};
  LineChart chart{"c", "x", "y", {series}, false, false, false};
  const std::string html = line_chart(chart);
  // The wide layout: x from 50 to 548, y from 236 (0) up to 30 (4).
  CHECK(contains(html, "M50.0 133.0L548.0 30.0L548.0 184.5L50.0 236.0Z"));
  CHECK(contains(html, "class='band s0'"));
  chart.covers = {-4, kNaN};
  CHECK(contains(line_chart(chart), "M50.0 107.2L548.0 81.5"));
  const Series thinned = thin_out(series, 1);
  CHECK(thinned.y == std::vector<double>{1.5});
  CHECK(thinned.low == std::vector<double>{0});
  CHECK(thinned.high == std::vector<double>{4});
  series.low.pop_back();
  CHECK_THROWS_AS(thin_out(series, 5), ShapeError);
}

TEST_CASE("chart: a line is where its values are, with gaps where there are none") {
  LineChart chart{
      "what <it> shows", "x", "y", {{"a", {0, 1, 2, 3, 4}, {0, 1, kNaN, kInfinity, 0.5}}}, false, false, false};
  const std::string html = line_chart(chart);
  CHECK(count(html, "<svg class=") == 2);
  CHECK(contains(html, "what &lt;it&gt; shows"));
  // The wide layout: x from 50 to 548, y from 236 up to 30.
  CHECK(contains(html, "M50.0 236.0L174.5 30.0M548.0 133.0"));
  CHECK(count(html, "<circle") == 6);
  CHECK_FALSE(contains(html, "inf"));
  CHECK_FALSE(contains(html, "nan"));
  CHECK(contains(html, "[0.0,1.0,null,null,0.5]"));
  CHECK_FALSE(contains(html, "class='keys'"));
  chart.series.push_back({"b </script>", {0, 4}, {1, 0}});
  const std::string two = line_chart(chart);
  CHECK(contains(two, "class='keys'"));
  CHECK(count(two, "</script>") == 1);
  CHECK(contains(two, "b \\u003c/script>"));
}

TEST_CASE("chart: nothing finite, one value, an axis of decades") {
  LineChart chart{"losses", "x", "y", {{"a", {1, 2}, {kNaN, kInfinity}}}, false, false, true};
  CHECK(contains(line_chart(chart), "no finite value"));
  chart.series = {{"a", {}, {}}};
  CHECK(contains(line_chart(chart), "no finite value"));
  chart.series = {{"a", {5}, {2}}};
  CHECK(count(line_chart(chart), "<circle") == 2);
  CHECK_FALSE(contains(line_chart(chart), "logarithmic"));
  chart.series = {{"a", {1, 2, 3}, {0.1, 10, 100}}};
  CHECK(contains(line_chart(chart), "y (logarithmic)"));
  chart.series = {{"a", {1, 2, 3}, {0, 10, 100}}};
  CHECK_FALSE(contains(line_chart(chart), "logarithmic"));
  chart.percent = true;
  chart.series = {{"a", {1, 2}, {1, 1}}};
  CHECK_FALSE(contains(line_chart(chart), ">150<"));
}

TEST_CASE("chart: many values stay small") {
  Series series{"s", {}, {}};
  for (int i = 0; i < 200000; ++i) {
    series.x.push_back(i);
    series.y.push_back(std::sin(i));
  }
  CHECK(line_chart({"l", "x", "y", {series}, false, false, false}).size() < 60000);
}

TEST_CASE("chart: a matrix says its shares and names its cells") {
  const MatrixChart chart{"m", {"<a>", "b"}, {{0.9, 0.1}, {0, 0.001}}, {{"p", "q"}, {"r", "s <"}}};
  const std::string svg = matrix_chart(chart);
  CHECK(contains(svg, "&lt;a&gt;"));
  CHECK(count(svg, "class='right'") == 2);
  CHECK(count(svg, "class='wrong'") == 1);
  CHECK(count(svg, "class='empty'") == 1);
  CHECK(contains(svg, ">90</text>"));
  CHECK(contains(svg, "fill-opacity='0.32'"));  // the root of 0.1
  CHECK(contains(svg, "<title>s &lt;</title>"));
  CHECK(count(svg, "class='count") == 2);  // 0.1 % is not written
  CHECK_THROWS_AS(matrix_chart({"m", {"a"}, {{1, 2}}, {{"x", "y"}}}), ShapeError);
}

TEST_CASE("chart: bars of a histogram") {
  const std::string svg = histogram_chart({"h", "x", "n", {0, 0.5, 1}, {3, 0}, true});
  CHECK(count(svg, "class='column s0'") == 2);  // one bar in two layouts
  CHECK(contains(svg, "<title>0 to 50: 3</title>"));
  CHECK_THROWS_AS(histogram_chart({"h", "x", "n", {0, 1}, {}, false}), ShapeError);
}

}  // namespace
}  // namespace giza::train
