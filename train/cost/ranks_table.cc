// The part of a plan that is about many ranks, as text and as JSON.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "tensor/base/text.h"
#include "train/config/parts.h"
#include "train/cost/detail/plan_text.h"
#include "train/cost/profile_table.h"

namespace giza::train {
namespace {

using nlohmann::ordered_json;

constexpr double kGood = 0.9;  // an efficiency

std::string in_percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

/// "12.5 MB", "896 bytes".
std::string in_bytes(double bytes) {
  if (bytes < 1e3) return counted(static_cast<int64_t>(bytes), "byte");
  return bytes < 1e6   ? three_digits(bytes / 1e3) + " KB"
         : bytes < 1e9 ? three_digits(bytes / 1e6) + " MB"
                       : three_digits(bytes / 1e9) + " GB";
}

std::string kind_text(const std::string& name, const Exchange& kind, const std::string& rest = {}) {
  return fmt::format("            {:<24} {:>9} {:>9} {:>10}  {}{}\n", name, kind.calls, kind.messages,
                     in_bytes(kind.bytes), in_seconds(kind.seconds), rest);
}

/// One number of ranks, in full.
std::string one_training_text(const Plan& plan, const Config& config, const RanksRow& row) {
  const RankStep& step = row.step;
  const PictureSize sample = largest_sample(config.train);
  std::string text = fmt::format(
      "training on {}, a machine like this one each, {} between them: {} of the {} pictures of {}x{}\n"
      "at the rank with the most\n",
      counted(row.ranks, "rank"), to_string(plan.ranks.network), row.fullest.pictures, config.train.batch_size,
      sample.height, sample.width);
  text += memory_text(row.memory, plan.limit);
  text += fmt::format("  time:   {} an iteration ({:.2f} pictures a second): step {}, exchanges {}{}\n",
                      in_seconds(row.iteration_s), config.train.batch_size / row.iteration_s, in_seconds(step.work_s),
                      in_seconds(step.exchanges_s()),
                      row.data_s > 0 ? fmt::format(", samples {} of other threads", in_seconds(row.data_s)) : "");
  text += fmt::format("          {:.2f} times as fast as one rank: {} efficient; {} lost to communication\n", row.speed,
                      in_percent(row.efficiency()), in_percent(row.lost()));
  if (row.total_s > 0) text += fmt::format("          {} in all\n", duration(row.total_s));
  text += fmt::format("          {:<26} {:>9} {:>9} {:>10}  {}\n", "exchanges of an iteration", "calls", "messages",
                      "sent", "the rank waits");
  text += kind_text("batch norms and losses", step.sums);
  text += kind_text("gradients of weights", step.gradients,
                    fmt::format(" of {} that they are under way", in_seconds(step.gradients_s)));
  text += kind_text("new weights", step.weights);
  text += kind_text("agreements", step.agreements);
  return text;
}

std::string one_test_text(const Plan& plan, const RanksRow& row) {
  const SharedOut& test = row.test;
  std::string text = fmt::format("testing on {}: {} pictures a round\n", counted(row.ranks, "rank"), row.ranks);
  text += fmt::format("  time:   {} a round: the slowest picture {}, exchanges {} ({} sent), judging {}\n",
                      in_seconds(test.slowest_s + test.exchange_s + row.ranks * plan.test.files_s),
                      in_seconds(test.slowest_s), in_seconds(test.exchange_s), in_bytes(test.bytes),
                      plan.test.files_s > 0 ? in_seconds(row.ranks * plan.test.files_s) : "unknown");
  text += fmt::format("          {:.2f} times as fast as one rank: {} efficient\n", row.test_speed,
                      in_percent(row.test_efficiency()));
  if (plan.test.pictures.count > 0) {
    text += fmt::format("          {} in all: {} of {} pictures\n", duration(test.total_s),
                        counted(test.rounds, "round"), plan.test.pictures.count);
  }
  return text;
}

/// Several, a row each.
std::string rows_text(const Plan& plan, const Config& config) {
  TextTable table({"ranks", "pictures", "iteration", "step", "sums", "gradients", "weights", "lost", "speed",
                   "efficiency", "GB", "testing", "efficiency"});
  std::vector<int> too_large;
  for (const RanksRow& row : plan.ranks.rows) {
    const RankStep& step = row.step;
    if (row.memory.peak() > plan.limit.bytes) too_large.push_back(row.ranks);
    table.add({std::to_string(row.ranks), std::to_string(row.fullest.pictures), in_seconds(row.iteration_s),
               in_seconds(step.work_s), in_seconds(step.sums.seconds + step.agreements.seconds),
               in_seconds(step.gradients.seconds), in_seconds(step.weights.seconds), in_percent(row.lost()),
               fmt::format("{:.2f}", row.speed), in_percent(row.efficiency()), in_gb(row.memory.peak()),
               fmt::format("{:.2f}", row.test_speed), in_percent(row.test_efficiency())});
  }
  const PictureSize sample = largest_sample(config.train);
  std::string text = fmt::format("ranks on machines like this one, {} between them: batch {} of {}x{}\n",
                                 to_string(plan.ranks.network), config.train.batch_size, sample.height, sample.width);
  text += table.text(5);
  text +=
      "pictures, step, GB: of the rank with the most; sums: it waits at batch norms, losses and agreements; "
      "gradients,\n"
      "weights: it waits for them; lost: to these, of the iteration; speed, testing: as a multiple of one rank\n";
  if (!too_large.empty()) {
    text += fmt::format("DOES NOT FIT in {} GB ({}): {} ranks\n", in_gb(plan.limit.bytes), plan.limit.source,
                        fmt::join(too_large, ", "));
  }
  if (const RanksRow* row = plan.ranks.first_below(kGood)) {
    text += fmt::format("efficiency of training falls below {:.0f} % at {} ranks\n", 100 * kGood, row->ranks);
  } else {
    text += fmt::format("efficiency of training stays at {:.0f} % or more\n", 100 * kGood);
  }
  return text;
}

ordered_json to_json(const Exchange& kind) {
  return {{"calls", kind.calls}, {"messages", kind.messages}, {"bytes", kind.bytes}, {"seconds", kind.seconds}};
}

}  // namespace

std::string ranks_text(const Plan& plan, const Config& config) {
  const RanksPlan& ranks = plan.ranks;
  std::string text;
  if (ranks.rows.size() == 1 && ranks.rows.front().ranks == 1) {
    // The plan itself: the others that were asked for are left out.
  } else if (ranks.rows.size() == 1) {
    text += one_training_text(plan, config, ranks.rows.front()) + "\n" + one_test_text(plan, ranks.rows.front());
  } else {
    text += rows_text(plan, config);
  }
  if (!ranks.measured_on.empty()) {
    text += fmt::format("steps of a rank are from kernels timed on {}, too\n", ranks.measured_on);
  }
  if (!ranks.too_many.empty()) {
    text += fmt::format("left out: {} ranks, for which TRAIN.batch_size {} has too few pictures\n",
                        fmt::join(ranks.too_many, ", "), config.train.batch_size);
  }
  return text;
}

ordered_json ranks_json(const Plan& plan) {
  const RanksPlan& ranks = plan.ranks;
  ordered_json rows = ordered_json::array();
  for (const RanksRow& row : ranks.rows) {
    const RankStep& step = row.step;
    const bool counted = plan.test.pictures.count > 0;
    ordered_json gradients = to_json(step.gradients);
    gradients["network_s"] = step.gradients_s;
    rows.push_back({{"ranks", row.ranks},
                    {"pictures", row.fullest.pictures},
                    {"pieces", row.fullest.pieces},
                    {"iteration_s", row.iteration_s},
                    {"total_s", known(row.total_s)},
                    {"work_s", step.work_s},
                    {"data_s", known(row.data_s)},
                    {"lost", row.lost()},
                    {"speed", row.speed},
                    {"efficiency", row.efficiency()},
                    {"memory", to_json(row.memory)},
                    {"fits", row.memory.peak() <= plan.limit.bytes},
                    {"sums", to_json(step.sums)},
                    {"gradients", gradients},
                    {"weights", to_json(step.weights)},
                    {"agreements", to_json(step.agreements)},
                    {"test",
                     {{"rounds", counted ? ordered_json(row.test.rounds) : ordered_json(nullptr)},
                      {"slowest_s", row.test.slowest_s},
                      {"exchange_s", row.test.exchange_s},
                      {"bytes", row.test.bytes},
                      {"total_s", counted ? ordered_json(row.test.total_s) : ordered_json(nullptr)},
                      {"speed", row.test_speed},
                      {"efficiency", row.test_efficiency()}}}});
  }
  const RanksRow* below = ranks.first_below(kGood);
  return {{"network", {{"bytes_per_s", ranks.network.bytes_per_s}, {"latency_s", ranks.network.latency_s}}},
          {"measured_on", ranks.measured_on},
          {"too_many", ranks.too_many},
          {"below_90_percent", below != nullptr ? ordered_json(below->ranks) : ordered_json(nullptr)},
          {"rows", rows}};
}

}  // namespace giza::train
