// What a study comes to.
#include "train/study/summary.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace giza::train {
namespace {

std::vector<double> values_of(const RowResult& row, double SeedResult::*figure) {
  std::vector<double> values;
  for (const SeedResult& seed : row.seeds) values.push_back(seed.*figure);
  return values;
}

std::vector<double> finite(std::vector<double> values) {
  std::erase_if(values, [](double value) { return !std::isfinite(value); });
  return values;
}

/// Published figures as shares, NaN where there are none.
std::vector<double> published(const StudyResult& result, double Published::*figure) {
  std::vector<double> values;
  for (const RowResult& row : result.rows) values.push_back(row.row.paper ? *row.row.paper.*figure / 100 : kNoFigure);
  return values;
}

/// Figures of several groups are of several publications: they have no order together.
bool published_together(const StudyResult& result) {
  const RowResult* first = nullptr;
  for (const RowResult& row : result.rows) {
    if (!row.row.paper) continue;
    if (first != nullptr && row.row.group != first->row.group) return false;
    first = &row;
  }
  return true;
}

RankAgreement agreement(const StudyResult& result, double SeedResult::*ours, double Published::*theirs) {
  if (!published_together(result)) return {kNoFigure, kNoFigure, kNoFigure, kNoFigure, 0, 0};
  std::vector<std::vector<double>> values;
  for (const RowResult& row : result.rows) values.push_back(values_of(row, ours));
  return rank_agreement(published(result, theirs), values);
}

size_t first_of_group(const StudyResult& result, size_t row) {
  const auto alike = [&](const RowResult& each) { return each.row.group == result.rows[row].row.group; };
  return static_cast<size_t>(std::find_if(result.rows.begin(), result.rows.end(), alike) - result.rows.begin());
}

void compare_pairs(const StudyResult& result, StudySummary* summary) {
  const std::vector<double> theirs = published(result, &Published::miou);
  for (size_t a = 0; a < theirs.size(); ++a) {
    for (size_t b = 0; b < theirs.size(); ++b) {
      // Each pair once: a is the one that was published with the higher figure.
      if (!(theirs[a] > theirs[b]) || result.rows[a].row.group != result.rows[b].row.group) continue;
      const double difference = summary->rows[a].miou.mean - summary->rows[b].miou.mean;
      if (!std::isfinite(difference)) continue;
      ++summary->pairs;
      summary->alike += difference > 0 ? 1 : 0;
      const PairedDifference against = paired_difference(mious_of(result.rows[b]), mious_of(result.rows[a]));
      if (against.low > 0) summary->contradictions.push_back({b, a, against});
    }
  }
  std::stable_sort(
      summary->contradictions.begin(), summary->contradictions.end(),
      [](const Contradiction& x, const Contradiction& y) { return x.difference.mean > y.difference.mean; });
}

int64_t most_seeds(const StudySummary& summary) {
  int64_t most = 0;
  for (const RowSummary& row : summary.rows) most = std::max(most, row.miou.count);
  return most;
}

/// In columns of their own: mIoU, its difference, pixel accuracy.
std::string published_text(const StudyRow& row, const std::string& difference) {
  if (!row.paper) return "";
  const double all_acc = row.paper->all_acc;
  return fmt::format("{:.2f}{:>8}{:>8}", row.paper->miou, difference,
                     std::isfinite(all_acc) ? fmt::format("{:.2f}", all_acc) : "");
}

nlohmann::ordered_json number(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json();
}

nlohmann::ordered_json interval(double low, double high) {
  return std::isfinite(low) ? nlohmann::ordered_json{low, high} : nlohmann::ordered_json();
}

nlohmann::ordered_json spread_json(const Spread& spread, const std::vector<double>& values) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const double value : values) list.push_back(number(value));
  return {{"mean", number(spread.mean)}, {"deviation", number(spread.deviation)}, {"values", std::move(list)}};
}

nlohmann::ordered_json agreement_json(const RankAgreement& agreement) {
  return {{"spearman", number(agreement.rho)},
          {"interval", interval(agreement.low, agreement.high)},
          {"resamples", agreement.resamples},
          {"chance", number(agreement.chance)},
          {"rows", agreement.rows}};
}

nlohmann::ordered_json row_json(const RowResult& row, const RowSummary& summary) {
  nlohmann::ordered_json failures = nlohmann::ordered_json::array(), json;
  for (const SeedResult& seed : row.seeds) {
    if (!seed.failure.empty()) failures.push_back({{"seed", seed.seed}, {"reason", seed.failure}});
  }
  json = {{"name", row.row.name},
          {"title", row.row.title},
          {"training", row.row.training},
          {"settings", settings_of(row)},
          {"group", row.row.group},
          {"epochs", row.config.train.epochs},
          {"parameters", row.parameters},
          {"macs", row.macs},
          {"mIoU", spread_json(summary.miou, mious_of(row))},
          {"allAcc", spread_json(summary.all_acc, values_of(row, &SeedResult::all_acc))},
          {"difference",
           {{"mean", number(summary.from_first.mean)},
            {"deviation", number(summary.from_first.deviation)},
            {"interval", interval(summary.from_first.low, summary.from_first.high)}}},
          {"published", nullptr},
          {"failures", std::move(failures)}};
  if (row.row.paper) {
    json["published"] = {{"mIoU", number(row.row.paper->miou / 100)},
                         {"allAcc", number(row.row.paper->all_acc / 100)},
                         {"difference", number(summary.published_from_first)}};
  }
  return json;
}

}  // namespace

std::vector<std::string> settings_of(const RowResult& row) {
  std::vector<std::string> settings = row.row.train;
  settings.insert(settings.end(), row.row.test.begin(), row.row.test.end());
  const TrainConfig& train = row.config.train;
  if (row.row.labels < 1) {
    settings.insert(settings.end(),
                    {"DATA.train_list", row.config.data.train_list, "TRAIN.epochs", std::to_string(train.epochs)});
  }
  if (row.row.pretrained) settings.insert(settings.end(), {"TRAIN.weight", train.weight});
  return settings;
}

std::vector<double> mious_of(const RowResult& row) { return values_of(row, &SeedResult::miou); }

StudySummary summarise(const StudyResult& result) {
  StudySummary summary;
  const std::vector<double> theirs = published(result, &Published::miou);
  for (size_t r = 0; r < result.rows.size(); ++r) {
    const RowResult& row = result.rows[r];
    RowSummary each;
    each.miou = spread_of(finite(mious_of(row)));
    each.all_acc = spread_of(finite(values_of(row, &SeedResult::all_acc)));
    each.first = first_of_group(result, r);
    each.from_first = paired_difference(mious_of(row), mious_of(result.rows[each.first]));
    each.published_from_first = theirs[r] - theirs[each.first];
    summary.rows.push_back(each);
  }
  summary.miou = agreement(result, &SeedResult::miou, &Published::miou);
  summary.all_acc = agreement(result, &SeedResult::all_acc, &Published::all_acc);
  compare_pairs(result, &summary);
  return summary;
}

bool has_groups(const Study& study) {
  return std::any_of(study.rows.begin(), study.rows.end(),
                     [&](const StudyRow& row) { return row.group != study.rows.front().group; });
}

std::string agreement_text(const StudySummary& summary) {
  const RankAgreement& miou = summary.miou;
  if (!std::isfinite(miou.rho)) {
    if (summary.pairs == 0) return "Too few rows have both figures for an order.";
    return fmt::format("{} of {} pairs of rows that were published together stand as published.", summary.alike,
                       summary.pairs);
  }
  std::string text = fmt::format("Spearman's rho of the mIoU with the published order: {:.2f}", miou.rho);
  if (miou.resamples > 0) {
    text +=
        fmt::format(" (95 % of {} resamplings of the seeds: {:.2f} to {:.2f})", miou.resamples, miou.low, miou.high);
  }
  if (std::isfinite(miou.chance)) {
    const double percent = 100 * miou.chance;
    text += fmt::format("; of all orders of {} rows {:.{}f} % do as well", miou.rows, percent,
                        percent < 1    ? 2
                        : percent < 10 ? 1
                                       : 0);
  }
  text += ".";
  if (std::isfinite(summary.all_acc.rho)) text += fmt::format(" Of the pixel accuracy: {:.2f}.", summary.all_acc.rho);
  text += fmt::format(" {} of {} pairs of rows stand as published.", summary.alike, summary.pairs);
  return text;
}

std::string spread_text(const Spread& spread) {
  if (!std::isfinite(spread.mean)) return "–";
  if (!std::isfinite(spread.deviation)) return fmt::format("{:.2f}", 100 * spread.mean);
  return fmt::format("{:.2f} ± {:.2f}", 100 * spread.mean, 100 * spread.deviation);
}

std::string count_text(double count) {
  if (count < 1e6) return fmt::format("{:.3g} K", count / 1e3);
  return count < 1e9 ? fmt::format("{:.3g} M", count / 1e6) : fmt::format("{:.3g} G", count / 1e9);
}

std::string study_table(const StudyResult& result) {
  const StudySummary summary = summarise(result);
  const Config& first = result.rows.front().config;
  std::string text = fmt::format("{} on {}: seeds {}, epochs {}, batch {}, crop {}x{}; {}\n", result.study.title,
                                 result.data.name, most_seeds(summary), result.data.config.train.epochs,
                                 first.train.batch_size, first.train.train_h, first.train.train_w, result.protocol);
  const std::string head = fmt::format("{:<28}{:>14}{:>8}{:>15}{:>26}{:>12}{:>10}\n", "", "mIoU %", "diff.",
                                       "pixel acc. %", "published   diff.    acc.", "parameters", "MACs");
  text += head + std::string(head.size() - 1, '-') + "\n";
  for (size_t r = 0; r < result.rows.size(); ++r) {
    const RowResult& row = result.rows[r];
    const RowSummary& figures = summary.rows[r];
    const auto difference = [&](double value) {
      return figures.first == r || !std::isfinite(value) ? std::string() : fmt::format("{:+.2f}", 100 * value);
    };
    text += fmt::format("{:<28}{:>14}{:>8}{:>15}{:>26}{:>12}{:>10}\n", row.row.title, spread_text(figures.miou),
                        difference(figures.from_first.mean), spread_text(figures.all_acc),
                        published_text(row.row, difference(figures.published_from_first)),
                        count_text(static_cast<double>(row.parameters)), count_text(row.macs));
  }
  text += fmt::format("diff.: of the mIoU, to the first row{}", has_groups(result.study) ? " of the group" : "");
  if (!result.study.source.empty()) {
    text += fmt::format("; published: mIoU % and pixel accuracy % of {}", result.study.source);
  }
  text += "\n";
  if (!result.study.note.empty()) text += result.study.note + "\n";
  if (!result.study.source.empty()) text += agreement_text(summary) + "\n";
  for (const Contradiction& each : summary.contradictions) {
    text += fmt::format("against the published order, beyond the seeds: {} above {} by {:.2f} ({:.2f} to {:.2f})\n",
                        result.rows[each.better].row.title, result.rows[each.worse].row.title,
                        100 * each.difference.mean, 100 * each.difference.low, 100 * each.difference.high);
  }
  for (const RowResult& row : result.rows) {
    for (const SeedResult& seed : row.seeds) {
      if (!seed.failure.empty()) text += fmt::format("{}, seed {}: {}\n", row.row.title, seed.seed, seed.failure);
    }
  }
  return text;
}

std::string study_json(const StudyResult& result) {
  const StudySummary summary = summarise(result);
  const Config& first = result.rows.front().config;
  nlohmann::ordered_json json{{"study", result.study.name},
                              {"title", result.study.title},
                              {"data", result.data.name},
                              {"out", result.options.out},
                              {"seeds", nlohmann::ordered_json::array()},
                              {"epochs", result.data.config.train.epochs},
                              {"batch", first.train.batch_size},
                              {"protocol", result.protocol},
                              {"published", result.study.source},
                              {"rows", nlohmann::ordered_json::array()}};
  for (const SeedResult& seed : result.rows.front().seeds) json["seeds"].push_back(seed.seed);
  for (size_t r = 0; r < result.rows.size(); ++r) json["rows"].push_back(row_json(result.rows[r], summary.rows[r]));
  nlohmann::ordered_json contradictions = nlohmann::ordered_json::array();
  for (const Contradiction& each : summary.contradictions) {
    contradictions.push_back({{"better", result.rows[each.better].row.name},
                              {"worse", result.rows[each.worse].row.name},
                              {"difference", each.difference.mean},
                              {"interval", interval(each.difference.low, each.difference.high)}});
  }
  json["order"] = {{"mIoU", agreement_json(summary.miou)},
                   {"allAcc", agreement_json(summary.all_acc)},
                   {"pairs", summary.pairs},
                   {"alike", summary.alike},
                   {"contradictions", std::move(contradictions)}};
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace giza::train
