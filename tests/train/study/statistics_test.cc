// The statistics of studies against SciPy (tests/golden/make_statistics_goldens.py), and where there is little to
// count.
#include "train/study/statistics.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tensor/base/check.h"

namespace giza::train {
namespace {

using Values = std::vector<double>;

constexpr double kClose = 1e-9;

const nlohmann::json& goldens() {
  // Kept, since a loop over a part of a temporary would be a loop over nothing.
  static const nlohmann::json all = [] {
    std::ifstream file(std::string(GIZA_SOURCE_DIR) + "/tests/golden/statistics.json");
    return nlohmann::json::parse(file);
  }();
  return all;
}

bool near(double a, double b) { return std::abs(a - b) <= kClose * std::max(1.0, std::abs(b)); }

}  // namespace

TEST_CASE("study statistics: quantiles of Student's t") {
  for (const auto& golden : goldens()["student"]) {
    CAPTURE(golden.dump());
    CHECK(near(student_quantile(golden["probability"], golden["degrees"]), golden["value"]));
  }
  CHECK(student_quantile(0.5, 3) == doctest::Approx(0));
  CHECK_THROWS_AS(student_quantile(0.9, 0), ShapeError);
  CHECK_THROWS_AS(student_quantile(1, 2), ShapeError);
}

TEST_CASE("study statistics: ranks, their correlation, and how often chance does as well") {
  for (const auto& golden : goldens()["spearman"]) {
    CAPTURE(golden.dump());
    const Values a = golden["a"], b = golden["b"];
    CHECK(mid_ranks(b) == golden["ranks"].get<Values>());
    CHECK(near(spearman(a, b), golden["rho"]));
    std::vector<Values> rows;
    for (const double value : b) rows.push_back({value});
    const RankAgreement agreement = rank_agreement(a, rows);
    CHECK(near(agreement.rho, golden["rho"]));
    CHECK(near(agreement.chance, golden["chance"]));
    CHECK(agreement.rows == static_cast<int64_t>(a.size()));
    CHECK(agreement.resamples == 0);  // one seed leaves nothing to draw
    CHECK(std::isnan(agreement.low));
  }
  CHECK(std::isnan(spearman(Values{1, 2}, Values{3, 3})));
  CHECK(std::isnan(spearman(Values{1}, Values{1})));
  CHECK_THROWS_AS(spearman(Values{1, 2}, Values{1}), ShapeError);
}

TEST_CASE("study statistics: paired differences") {
  for (const auto& golden : goldens()["paired"]) {
    CAPTURE(golden.dump());
    const Values a = golden["a"], b = golden["b"];
    const PairedDifference difference = paired_difference(a, b);
    CHECK(near(difference.mean, golden["mean"]));
    CHECK(near(difference.deviation, golden["deviation"]));
    CHECK(near(difference.low, golden["low"]));
    CHECK(near(difference.high, golden["high"]));
  }
  // Seeds without a figure on either side are left out.
  const PairedDifference rest = paired_difference(Values{1, kNoFigure, 3, 5}, Values{0, 1, kNoFigure, 2});
  CHECK(rest.pairs == 2);
  CHECK(rest.mean == 2);
  const PairedDifference one = paired_difference(Values{1}, Values{0});
  CHECK(one.mean == 1);
  CHECK(std::isnan(one.low));
}

TEST_CASE("study statistics: means and deviations of few values") {
  CHECK(std::isnan(spread_of({}).mean));
  CHECK(spread_of(Values{2}).mean == 2);
  CHECK(std::isnan(spread_of(Values{2}).deviation));
  CHECK(spread_of(Values{1, 3}).mean == 2);
  CHECK(spread_of(Values{1, 3}).deviation == doctest::Approx(std::sqrt(2.0)));
}

TEST_CASE("study statistics: the interval of the rank correlation comes from the seeds") {
  const Values published{1, 2, 3};
  // Seeds that agree leave no doubt.
  const RankAgreement sure = rank_agreement(published, {{1, 1, 1}, {2, 2, 2}, {3, 3, 3}});
  CHECK(sure.rho == doctest::Approx(1));
  CHECK(sure.low == doctest::Approx(1));
  CHECK(sure.high == doctest::Approx(1));
  CHECK(sure.resamples == kStudyResamples);
  CHECK(sure.chance == doctest::Approx(1.0 / 6));
  // Two rows whose two seeds cross: of the 16 draws, 9 x 1 have a row's mean clearly in order, so both ends are
  // reached.
  const RankAgreement crossed = rank_agreement(Values{1, 2}, {{0, 3}, {1, 4}});
  CHECK(crossed.rho == doctest::Approx(1));
  CHECK(crossed.low == doctest::Approx(-1));
  CHECK(crossed.high == doctest::Approx(1));
  // The same seed gives the same draws.
  const std::vector<Values> noisy{{1, 4, 2}, {2, 1, 5}, {3, 2, 6}};
  CHECK(rank_agreement(published, noisy).low == rank_agreement(published, noisy).low);
}

TEST_CASE("study statistics: the bootstrap draws as often as it says") {
  // Row 2 beats row 1 but where row 1 draws 4 twice (1 in 4) and row 2 draws 1 at least once (3 in 4), or ties at 4:
  // below 2.5 % of the draws would be cut off, 3 / 16 are not.
  const RankAgreement rare = rank_agreement(Values{1, 2}, {{0, 4}, {1, 9}}, 4000);
  CHECK(rare.low == doctest::Approx(-1));
  const RankAgreement never = rank_agreement(Values{1, 2}, {{0, 1}, {1.5, 9}}, 4000);
  CHECK(never.low == doctest::Approx(1));
}

TEST_CASE("study statistics: rows without a figure on either side are left out of the order") {
  const RankAgreement some = rank_agreement(Values{1, kNoFigure, 2, 3}, {{1}, {9}, {kNoFigure}, {3}});
  CHECK(some.rows == 2);
  CHECK(some.rho == doctest::Approx(1));
  CHECK(std::isnan(rank_agreement(Values{1}, {{1, 2}}).rho));
  CHECK(std::isnan(rank_agreement(Values{1, 2}, {{1, 1}, {1, 1}}).rho));
  // More rows than can be permuted.
  Values many;
  std::vector<Values> rows;
  for (int i = 0; i <= kMostPermuted; ++i) {
    many.push_back(i);
    rows.push_back({static_cast<double>(i)});
  }
  CHECK(rank_agreement(many, rows).rho == doctest::Approx(1));
  CHECK(std::isnan(rank_agreement(many, rows).chance));
}

}  // namespace giza::train
