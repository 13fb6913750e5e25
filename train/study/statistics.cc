// The statistics of a study.
#include "train/study/statistics.h"

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "tensor/base/check.h"
#include "tensor/random.h"
#include "train/eval/bootstrap.h"

namespace giza::train {
namespace {

using Array = Eigen::ArrayXd;

constexpr double kLevel = 0.95;
constexpr uint32_t kStream = 0x73747564;  // "stud": no other use of Philox has this word

Array array_of(std::span<const double> values) {
  return Eigen::Map<const Array>(values.data(), static_cast<Eigen::Index>(values.size()));
}

/// Mid-ranks moved to a mean of zero.
Array centred_ranks(std::span<const double> values) {
  const std::vector<double> ranks = mid_ranks(values);
  const Array array = array_of(ranks);
  return array - array.mean();
}

double correlation(const Array& a, const Array& b) {
  const double scale = std::sqrt(a.square().sum() * b.square().sum());
  return scale > 0 ? (a * b).sum() / scale : kNoFigure;
}

/// The share of all orders of b in which a and b go together at least as well as in this one.
double chance_of(const Array& a, const Array& b) {
  if (a.size() > kMostPermuted) return kNoFigure;
  constexpr double kRounding = 1e-9;  // sums of a few products of ranks, in another order
  const double observed = (a * b).sum() - kRounding;
  std::vector<Eigen::Index> order(static_cast<size_t>(a.size()));
  std::iota(order.begin(), order.end(), 0);
  int64_t all = 0, as_high = 0;
  do {
    double sum = 0;
    for (size_t i = 0; i < order.size(); ++i) sum += a[static_cast<Eigen::Index>(i)] * b[order[i]];
    ++all;
    if (sum >= observed) ++as_high;
  } while (std::next_permutation(order.begin(), order.end()));
  return static_cast<double>(as_high) / static_cast<double>(all);
}

/// The mean of as many values as there are, drawn with replacement.
double resampled_mean(const std::vector<double>& values, uint32_t resample, uint32_t row, uint64_t seed) {
  const auto count = static_cast<uint64_t>(values.size());
  std::array<uint32_t, 4> words{};
  double sum = 0;
  for (uint32_t draw = 0; draw < count; ++draw) {
    if (draw % 4 == 0) words = philox({draw / 4, resample, row, kStream}, seed);
    sum += values[static_cast<size_t>((words[draw % 4] * count) >> 32)];
  }
  return sum / static_cast<double>(count);
}

/// P(|T| < t) for t >= 0 (Abramowitz & Stegun, 26.7.3 and 26.7.4).
double student_within(double t, int64_t degrees) {
  const double angle = std::atan(t / std::sqrt(static_cast<double>(degrees)));
  const double sine = std::sin(angle), cosine = std::cos(angle);
  const bool odd = degrees % 2 == 1;
  double term = odd ? cosine : 1, sum = degrees > 1 ? term : 0;
  for (int64_t k = odd ? 3 : 2; k < degrees; k += 2) {
    term *= cosine * cosine * static_cast<double>(k - 1) / static_cast<double>(k);
    sum += term;
  }
  return odd ? 2 / std::numbers::pi * (angle + sine * sum) : sine * sum;
}

}  // namespace

Spread spread_of(std::span<const double> values) {
  const auto count = static_cast<int64_t>(values.size());
  if (count == 0) return {kNoFigure, kNoFigure, 0};
  const Array array = array_of(values);
  const double mean = array.mean();
  if (count == 1) return {mean, kNoFigure, 1};
  return {mean, std::sqrt((array - mean).square().sum() / static_cast<double>(count - 1)), count};
}

PairedDifference paired_difference(std::span<const double> a, std::span<const double> b) {
  check(a.size() == b.size(), "paired_difference: {} and {} values", a.size(), b.size());
  std::vector<double> differences;
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isfinite(a[i]) && std::isfinite(b[i])) differences.push_back(a[i] - b[i]);
  }
  const Spread spread = spread_of(differences);
  if (spread.count < 2) return {spread.mean, kNoFigure, kNoFigure, kNoFigure, spread.count};
  const double half = student_quantile((1 + kLevel) / 2, spread.count - 1) * spread.deviation /
                      std::sqrt(static_cast<double>(spread.count));
  return {spread.mean, spread.deviation, spread.mean - half, spread.mean + half, spread.count};
}

std::vector<double> mid_ranks(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    for (size_t i = begin; i < end; ++i) ranks[order[i]] = static_cast<double>(begin + end + 1) / 2;
  }
  return ranks;
}

double spearman(std::span<const double> a, std::span<const double> b) {
  check(a.size() == b.size(), "spearman: {} and {} values", a.size(), b.size());
  return a.size() < 2 ? kNoFigure : correlation(centred_ranks(a), centred_ranks(b));
}

RankAgreement rank_agreement(std::span<const double> published, const std::vector<std::vector<double>>& values,
                             int resamples, uint64_t seed) {
  check(published.size() == values.size(), "rank_agreement: {} published figures for {} rows", published.size(),
        values.size());
  std::vector<double> theirs, means;
  std::vector<std::vector<double>> rows;
  size_t fewest = std::numeric_limits<size_t>::max();
  for (size_t r = 0; r < values.size(); ++r) {
    std::vector<double> finite;
    std::copy_if(values[r].begin(), values[r].end(), std::back_inserter(finite),
                 [](double value) { return std::isfinite(value); });
    if (finite.empty() || !std::isfinite(published[r])) continue;
    theirs.push_back(published[r]);
    means.push_back(spread_of(finite).mean);
    fewest = std::min(fewest, finite.size());
    rows.push_back(std::move(finite));
  }
  RankAgreement result{kNoFigure, kNoFigure, kNoFigure, kNoFigure, static_cast<int64_t>(rows.size()), 0};
  if (rows.size() < 2) return result;
  const Array order = centred_ranks(theirs), ours = centred_ranks(means);
  result.rho = correlation(order, ours);
  if (!std::isfinite(result.rho)) return result;
  result.chance = chance_of(order, ours);
  if (fewest < 2) return result;
  std::vector<double> correlations;
  for (int i = 0; i < resamples; ++i) {
    for (size_t r = 0; r < rows.size(); ++r) {
      means[r] = resampled_mean(rows[r], static_cast<uint32_t>(i), static_cast<uint32_t>(r), seed);
    }
    // Where all means are equal nothing is in order.
    const double rho = correlation(order, centred_ranks(means));
    correlations.push_back(std::isfinite(rho) ? rho : 0);
  }
  std::sort(correlations.begin(), correlations.end());
  result.resamples = resamples;
  result.low = percentile(correlations, (1 - kLevel) / 2);
  result.high = percentile(correlations, (1 + kLevel) / 2);
  return result;
}

double student_quantile(double probability, int64_t degrees) {
  check(probability > 0 && probability < 1 && degrees >= 1, "student_quantile: {} with {} degrees of freedom",
        probability, degrees);
  const double within = std::abs(2 * probability - 1);
  double low = 0, high = 1;
  while (student_within(high, degrees) < within) high *= 2;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (student_within(middle, degrees) < within ? low : high) = middle;
  }
  return probability < 0.5 ? -high : high;
}

}  // namespace giza::train
