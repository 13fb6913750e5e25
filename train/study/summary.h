// What a study comes to: means and deviations over the seeds, differences, and the order of the rows beside the
// published one; as a table for a terminal, and as JSON.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/study/runner.h"
#include "train/study/statistics.h"

namespace giza::train {

/// Shares, not percent.
struct RowSummary {
  Spread miou, all_acc;
  size_t first = 0;                 ///< the first row of its group
  PairedDifference from_first;      ///< of the mIoU
  double published_from_first = 0;  ///< likewise; NaN where one of the two was not published
};

/// Two rows of a group that stand otherwise than published, by more than the seeds explain: the interval of their
/// paired difference leaves out 0.
struct Contradiction {
  size_t better, worse;         ///< rows: here `better` has the higher mIoU, published the lower
  PairedDifference difference;  ///< of the mIoU, better - worse
};

struct StudySummary {
  std::vector<RowSummary> rows;
  RankAgreement miou, all_acc;  ///< none (NaN) where the published figures are of several groups
  int64_t pairs = 0,
          alike = 0;  ///< of a group's rows with unequal published mIoU; of them, those in the published order
  std::vector<Contradiction> contradictions;
};
StudySummary summarise(const StudyResult& result);

/// KEY VALUE ... of what sets a row apart, with what a part of the labels and pretraining make of its first seed.
std::vector<std::string> settings_of(const RowResult& row);
/// The mIoU of a row by seed, NaN where there is none.
std::vector<double> mious_of(const RowResult& row);

/// True if the rows are compared within groups, not all with the first.
bool has_groups(const Study& study);
/// "Spearman's rho 0.86 ...", a sentence or two.
std::string agreement_text(const StudySummary& summary);
/// "62.13 ± 0.45", percent; without a deviation the mean alone, "–" without either.
std::string spread_text(const Spread& spread);
/// "418 K", "169 M": with its unit of 10^3, 10^6 or 10^9.
std::string count_text(double count);

/// For a terminal of 120 columns.
std::string study_table(const StudyResult& result);
/// {study, title, data, out, seeds, epochs, batch, protocol, published,
///  rows: [{name, title, training, settings, epochs, parameters, macs, mIoU: {mean, deviation, values}, allAcc: {...},
///          group, difference: {mean, deviation, interval}, published: {mIoU, allAcc, difference}, failures}],
///  order: {mIoU: {spearman, interval, resamples, chance, rows}, allAcc: {...}, pairs, alike,
///          contradictions: [{better, worse, difference, interval}]}}
/// Figures of ours are shares, published ones as shares too. What there is not is null.
std::string study_json(const StudyResult& result);

}  // namespace giza::train
