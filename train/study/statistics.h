// The statistics of a study: few rows, few seeds, and how far they can be trusted.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace giza::train {

/// Stands where there is no figure.
inline constexpr double kNoFigure = std::numeric_limits<double>::quiet_NaN();

/// NaN where there are too few values: none for the mean, one for the deviation.
struct Spread {
  double mean, deviation;  ///< the latter over n - 1
  int64_t count;
};
Spread spread_of(std::span<const double> values);

/// Two rows on the same seeds: the differences a - b of each seed, their mean and the interval in which it lies with 95
/// % by Student's t (n - 1 degrees of freedom), if they are normal. NaN where there are too few pairs.
struct PairedDifference {
  double mean, deviation, low, high;
  int64_t pairs;
};
/// Of the seeds where both are finite. The spans are equally long.
PairedDifference paired_difference(std::span<const double> a, std::span<const double> b);

/// Ranks from 1 for the smallest; equal values get the mean of their places (mid-ranks).
std::vector<double> mid_ranks(std::span<const double> values);
/// Spearman's rank correlation: Pearson's of the mid-ranks. NaN for fewer than two pairs, or where one side is
/// constant.
double spearman(std::span<const double> a, std::span<const double> b);

/// How well rows keep a published order.
struct RankAgreement {
  double rho;        ///< Spearman's, of the rows' means over their seeds
  double low, high;  ///< the middle 95 % of rho in the resamplings; NaN with fewer than two seeds
  double chance;     ///< the share of all orders of the rows with a rho at least as high; NaN beyond kMostPermuted rows
  int64_t rows;      ///< that have both figures
  int64_t resamples;  ///< 0: none
};
inline constexpr int kStudyResamples = 10000;
inline constexpr uint64_t kStudySeed = 20170401;
inline constexpr int64_t kMostPermuted = 10;
/// `values`: [row][seed], NaN for what there is none; `published`: per row, NaN likewise; rows without either are left
/// out. The interval is a percentile bootstrap over the seeds: each row's mean is taken anew over as many of its seeds,
/// drawn with replacement and for each row alone. It tells how other seeds might have ordered the same rows, not what
/// other rows would do. Draw d of row r in resampling i is Philox's word d % 4 for the counter {d / 4, i, r, "stud"}.
RankAgreement rank_agreement(std::span<const double> published, const std::vector<std::vector<double>>& values,
                             int resamples = kStudyResamples, uint64_t seed = kStudySeed);

/// The value below which Student's t with so many degrees of freedom lies with a probability in (0, 1).
double student_quantile(double probability, int64_t degrees);

}  // namespace giza::train
