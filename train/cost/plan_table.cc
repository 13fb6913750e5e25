// A plan as text and as JSON.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "tensor/base/text.h"
#include "tensor/simd.h"
#include "train/config/parts.h"
#include "train/cost/detail/plan_text.h"
#include "train/cost/profile_table.h"
#include "train/progress.h"

namespace giza::train {

using nlohmann::ordered_json;

namespace {

constexpr double kGiga = 1e9;

double gb(int64_t bytes) { return static_cast<double>(bytes) / kGiga; }
std::string in_millions(int64_t count) { return fmt::format("{:.3f}", static_cast<double>(count) / 1e6); }
std::string in_gmac(double macs) { return macs > 0 ? fmt::format("{:.3f}", macs / kGiga) : "-"; }

}  // namespace

std::string in_gb(int64_t bytes) { return fmt::format("{:.2f}", gb(bytes)); }

std::string in_seconds(double s) { return s >= 0.995 ? three_digits(s) + " s" : three_digits(s * 1e3) + " ms"; }

/// As long as it takes: a training may take months.
std::string duration(double s) {
  constexpr double kDay = 86400;
  return s >= 3 * kDay ? fmt::format("{:.1f} days", s / kDay) : s >= 60 ? format_duration(s) : in_seconds(s);
}

std::string memory_text(const MemoryPlan& memory, const MemoryLimit& limit) {
  return fmt::format(
      "  memory: {} GB at the peak: tensors {}, pictures {}, files {}, process {}\n"
      "          {} in {} GB ({})\n",
      in_gb(memory.peak()), in_gb(memory.tensors), in_gb(memory.data), in_gb(memory.files), in_gb(memory.process),
      memory.peak() <= limit.bytes ? "fits" : "DOES NOT FIT", in_gb(limit.bytes), limit.source);
}

ordered_json known(double value) { return value > 0 ? ordered_json(value) : ordered_json(nullptr); }
ordered_json known(int64_t count) { return count > 0 ? ordered_json(count) : ordered_json(nullptr); }

ordered_json to_json(const MemoryPlan& memory) {
  return {{"process_gb", gb(memory.process)},
          {"tensors_gb", gb(memory.tensors)},
          {"data_gb", gb(memory.data)},
          {"files_gb", gb(memory.files)},
          {"peak_gb", gb(memory.peak())}};
}

namespace {

std::string deviation(double predicted, double measured) {
  return fmt::format("{:+.1f} %", (predicted / measured - 1) * 100);
}

std::string parts_text(const Plan& plan, const Config& config) {
  const PictureSize sample = largest_sample(config.train);
  TextTable table({"part", "parameters, M", fmt::format("GMAC of a {}x{} crop", sample.height, sample.width),
                   fmt::format("GMAC of a {}x{} tile", config.test.test_h, config.test.test_w)});
  PartCost all{"in all"};
  for (const PartCost& part : plan.parts) {
    table.add({part.name, in_millions(part.parameters), in_gmac(part.train_macs), in_gmac(part.test_macs)});
    all.parameters += part.parameters;
    all.train_macs += part.train_macs;
    all.test_macs += part.test_macs;
  }
  table.add({all.name, in_millions(all.parameters), in_gmac(all.train_macs), in_gmac(all.test_macs)});
  return table.text(12) +
         "GMAC: 10^9 multiply-adds of one forward pass, by the direct algorithm; backward passes take twice as many.\n";
}

std::string ways_text(const std::vector<Way>& ways, const char* unit) {
  std::string text;
  if (ways.empty()) return "  no smaller batch, crop or depth helps\n";
  text += ways.front().fits ? "  ways to fit, the best first:\n" : "  nothing fits; these come nearest:\n";
  for (const Way& way : ways) {
    text += fmt::format("    {}\n      {} GB, {} {}{}; effect on the result: {}\n", way.change, in_gb(way.peak),
                        in_seconds(way.iteration_s), unit,
                        way.total_s > 0 ? ", " + duration(way.total_s) + " in all" : "", way.effect);
  }
  return text;
}

std::string basis(const Plan& plan, double share, const std::string& where) {
  if (plan.quick) return "from peaks and typical shares of them: right to about a factor of 1.5";
  if (where.empty()) return "from peaks and typical shares of them: nothing of it could be run here";
  return fmt::format(
      "from kernels timed on {}{}", where,
      share > 0.99 ? "" : fmt::format(", {:.0f} % scaled to these shapes by their work", (1 - share) * 100));
}

std::string training_text(const Plan& plan, const Config& config) {
  const TrainConfig& train = config.train;
  const TrainingPlan& training = plan.training;
  const TrainingTime& time = training.time;
  const PictureSize sample = largest_sample(train);
  std::string text = fmt::format("training: batch {} of {}x{}{}{}\n", train.batch_size, sample.height, sample.width,
                                 train.epoch_sizes.size() > 1 ? " at most, times as a mean over the epochs" : "",
                                 train.recompute ? ", blocks run again in the backward pass" : "");
  text += memory_text(training.memory, plan.limit);
  text += fmt::format(
      "  time:   {} an iteration ({} pictures a second): step {}{}\n", in_seconds(time.iteration_s),
      fmt::format("{:.2f}", train.batch_size / time.iteration_s), in_seconds(time.step_s),
      time.data_s > 0 ? fmt::format(", samples {} of other threads", in_seconds(time.data_s)) : ", samples unknown");
  text += fmt::format("          {}\n", basis(plan, training.measured_share, training.measured_on));
  if (training.iterations_per_epoch > 0) {
    text += fmt::format("          {} in all: {} ({} / {} x {})", duration(time.total_s()),
                        counted(time.iterations, "iteration"), counted(training.pictures.count, "picture"),
                        train.batch_size, counted(train.epochs - train.start_epoch, "epoch"));
    if (time.validations > 0)
      text += fmt::format(", {} of {}", counted(time.validations, "validation"), duration(time.validation_s));
    if (time.label_rounds > 0)
      text += fmt::format(", {} of labels of {}", counted(time.label_rounds, "round"), duration(time.labels_s));
    text += fmt::format(", {} of {}\n", counted(time.checkpoints, "checkpoint"), in_seconds(time.checkpoint_s));
  } else {
    text += "          in all: unknown without the list of pictures\n";
  }
  if (training.memory.peak() > plan.limit.bytes) text += ways_text(plan.training_ways, "an iteration");
  return text;
}

std::string test_text(const Plan& plan) {
  const TestPlan& test = plan.test;
  const PictureSize size = test.pictures.middle();
  std::string text = fmt::format("testing: {}\n", test.protocol);
  text += memory_text(test.memory, plan.limit);
  text += fmt::format("  time:   {} a picture ({:.1f} passes over tiles; {} such as {}x{}){}\n",
                      in_seconds(test.network_s + test.files_s), test.tiles,
                      test.pictures.count > 0 ? "of the list's sizes," : "if it is", size.width, size.height,
                      test.files_s > 0
                          ? fmt::format(": network {}, files {}", in_seconds(test.network_s), in_seconds(test.files_s))
                          : "");
  text += fmt::format("          {}\n", basis(plan, test.measured_share, test.measured_on));
  if (test.pictures.count > 0) {
    text += fmt::format("          {} in all: {} pictures\n", duration(test.total_s), test.pictures.count);
  }
  if (test.memory.peak() > plan.limit.bytes) text += ways_text(plan.test_ways, "a picture");
  return text;
}

std::string measured_text(const Plan& plan) {
  const Measured& measured = plan.measured;
  std::string text = "measured in this run, predicted against it (memory without pictures and files):\n";
  const auto row = [&](const std::string& name, double predicted, double real, int64_t bytes, int64_t real_bytes) {
    text += fmt::format("  {}: {} measured, {} predicted, {}; {} GB measured, {} GB predicted, {}\n", name,
                        in_seconds(real), in_seconds(predicted), deviation(predicted, real), in_gb(real_bytes),
                        in_gb(bytes), deviation(static_cast<double>(bytes), static_cast<double>(real_bytes)));
  };
  if (measured.step_s > 0) {
    row("training step", plan.training.time.largest_s, measured.step_s, plan.training.memory.resident(),
        measured.training_bytes);
  }
  if (measured.picture_s > 0) {
    row(fmt::format("test picture of {}x{}", measured.picture.width, measured.picture.height),
        measured.predicted_picture_s, measured.picture_s, plan.test.memory.resident(), measured.test_bytes);
  }
  return text;
}

ordered_json to_json(const std::vector<Way>& ways) {
  ordered_json list = ordered_json::array();
  for (const Way& way : ways) {
    list.push_back({{"change", way.change},
                    {"effect", way.effect},
                    {"peak_gb", gb(way.peak)},
                    {"iteration_s", way.iteration_s},
                    {"total_s", known(way.total_s)},
                    {"fits", way.fits}});
  }
  return list;
}

}  // namespace

std::string plan_table(const Plan& plan, const Config& config) {
  std::string text = fmt::format("{}: {}, {} classes; {} threads, {}, peaks {:.0f} GFLOP/s and {:.0f} GB/s\n\n",
                                 plan.file, network_title(config), config.data.classes, plan.threads, isa(),
                                 plan.peak.all_gflops, std::max(plan.peak.copy_gbs, plan.peak.stream_gbs));
  text += parts_text(plan, config) + "\n" + training_text(plan, config) + "\n" + test_text(plan);
  if (plan.measured.step_s > 0 || plan.measured.picture_s > 0) text += fmt::format("\n{}", measured_text(plan));
  if (!plan.ranks.rows.empty()) text += "\n" + ranks_text(plan, config);
  for (size_t i = 0; i < plan.notes.size(); ++i)
    text += fmt::format("{}not known: {}\n", i == 0 ? "\n" : "", plan.notes[i]);
  return text;
}

std::string plan_json(const Plan& plan, const Config& config) {
  const TrainingPlan& training = plan.training;
  const TrainingTime& time = training.time;
  const TestPlan& test = plan.test;
  ordered_json parts = ordered_json::array();
  int64_t parameters = 0;
  for (const PartCost& part : plan.parts) {
    parts.push_back({{"name", part.name},
                     {"parameters", part.parameters},
                     {"train_macs", std::llround(part.train_macs)},
                     {"test_macs", std::llround(part.test_macs)}});
    parameters += part.parameters;
  }
  ordered_json json = {
      {"config", plan.file},
      {"network", network_title(config)},
      {"classes", config.data.classes},
      {"threads", plan.threads},
      {"isa", isa()},
      {"quick", plan.quick},
      {"peak", {{"gflops", plan.peak.all_gflops}, {"gbs", std::max(plan.peak.copy_gbs, plan.peak.stream_gbs)}}},
      {"memory_limit_gb", gb(plan.limit.bytes)},
      {"memory_limit", plan.limit.source},
      {"parameters", parameters},
      {"parts", parts}};
  const bool counted = training.iterations_per_epoch > 0;
  json["train"] = {{"batch", config.train.batch_size},
                   {"crop", {largest_sample(config.train).height, largest_sample(config.train).width}},
                   {"recompute", config.train.recompute},
                   {"epochs", config.train.epochs - config.train.start_epoch},
                   {"pictures", known(training.pictures.count)},
                   {"iterations_per_epoch", known(training.iterations_per_epoch)},
                   {"memory", to_json(training.memory)},
                   {"fits", training.memory.peak() <= plan.limit.bytes},
                   {"step_s", time.step_s},
                   {"data_s", known(time.data_s)},
                   {"iteration_s", time.iteration_s},
                   {"iterations", known(time.iterations)},
                   {"validations", time.validations},
                   {"validation_s", known(time.validation_s)},
                   {"checkpoints", time.checkpoints},
                   {"checkpoint_s", known(time.checkpoint_s)},
                   {"label_rounds", time.label_rounds},
                   {"labels_s", known(time.labels_s)},
                   {"total_s", counted ? ordered_json(time.total_s()) : ordered_json(nullptr)},
                   {"measured_on", training.measured_on},
                   {"measured_share", training.measured_share}};
  json["test"] = {{"protocol", test.protocol},
                  {"pictures", known(test.pictures.count)},
                  {"picture", {test.pictures.middle().width, test.pictures.middle().height}},
                  {"tiles_per_picture", test.tiles},
                  {"memory", to_json(test.memory)},
                  {"fits", test.memory.peak() <= plan.limit.bytes},
                  {"network_s", test.network_s},
                  {"files_s", known(test.files_s)},
                  {"total_s", known(test.total_s)},
                  {"measured_on", test.measured_on},
                  {"measured_share", test.measured_share}};
  json["train_ways"] = to_json(plan.training_ways);
  json["test_ways"] = to_json(plan.test_ways);
  const Measured& measured = plan.measured;
  if (measured.step_s > 0 || measured.picture_s > 0) {
    json["measured"] = {{"step_s", known(measured.step_s)},
                        {"train_gb", known(gb(measured.training_bytes))},
                        {"picture", {measured.picture.width, measured.picture.height}},
                        {"picture_s", known(measured.picture_s)},
                        {"predicted_picture_s", known(measured.predicted_picture_s)},
                        {"test_gb", known(gb(measured.test_bytes))}};
  }
  json["notes"] = plan.notes;
  if (!plan.ranks.rows.empty()) json["ranks"] = ranks_json(plan);
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace giza::train
