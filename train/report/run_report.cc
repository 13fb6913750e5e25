// Gathers what report.html shows, and writes it.
#include "train/report/run_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/base/hash.h"
#include "tensor/simd.h"
#include "train/config/keys.h"
#include "train/config/parts.h"
#include "train/report/html_report.h"
#include "train/report/machine.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;

/// The last `parts` names of a path.
std::string last_names(const std::string& path, int parts) {
  fs::path rest = fs::path(path).lexically_normal(), result;
  if (!rest.has_filename()) rest = rest.parent_path();
  for (int i = 0; i < parts && rest.has_filename() && rest.filename() != ".."; ++i) {
    result = result.empty() ? rest.filename() : rest.filename() / result;
    rest = rest.parent_path();
  }
  return result.empty() || result == "." ? "giza" : result.string();
}

std::string quoted_for_shell(const std::string& text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           (c < 0x80 && c != 0 && std::string_view("_./=:,+-@%").find(static_cast<char>(c)) != std::string_view::npos);
  });
  if (plain) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

/// A value as it is given on the command line: texts without the quotes of YAML.
std::string argument(const Key& key, const Config& config) {
  Config copy = config;
  const Field field = key.field(copy);
  if (const auto* text = std::get_if<std::string*>(&field)) return **text;
  return write_value(key, config);
}

std::string network_name(const Config& config) {
  const TrainConfig& train = config.train;
  return fmt::format("{} on ResNet{}{}, {} classes", models::find_architecture(train.arch)->title, train.layers,
                     train.blocks.empty() && train.width == 1 ? "" : " (changed in blocks or width)",
                     config.data.classes);
}

ReportList list_of(const std::string& role, const Dataset& dataset) {
  return {role, listing_place(dataset.options()), dataset.size(), list_hash(dataset)};
}

/// What both kinds of pages have.
ReportData common_data(const Config& config, const std::string& command) {
  ReportData data;
  const Config defaults;
  for (const Key& key : config_keys()) {
    if (key.rule.effect == Effect::unused) continue;
    const std::string value = write_value(key, config), standard = write_value(key, defaults);
    data.settings.push_back({key.section, key.name, value, standard, value != standard});
  }
  data.config_text = to_yaml(config);
  data.unused = config.unused;
  data.colors = class_colors(config);
  data.ignore_label = config.train.ignore_label;
  data.machine = machine_facts();
  data.written = now_utc();
  data.command = command_line(command, config);
  std::error_code error;
  if (const fs::path here = fs::current_path(error); !error) data.machine.push_back({"working folder", here.string()});
  return data;
}

}  // namespace

std::string list_hash(const Dataset& dataset) {
  Fnv1a hash;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    hash.add_bytes(fs::path(dataset.entry(i).image).filename().string() + "\n");
  }
  return fmt::format("{:016x}", hash.value());
}

std::string command_line(const std::string& command, const Config& config) {
  std::string line = fmt::format("giza {} --config {}", command, quoted_for_shell(config.file));
  if (const std::vector<std::string> targets = isa_targets(); !targets.empty() && isa() != targets.front()) {
    line += " --isa " + isa();
  }
  for (const Key& key : config_keys()) {
    const auto origin = config.origins.find(key.full_name());
    if (origin == config.origins.end() || origin->second != "command line") continue;
    line += fmt::format(" {} {}", key.full_name(), quoted_for_shell(argument(key, config)));
  }
  return line;
}

void write_training_report(const Config& config, const TrainingReport& training) {
  ReportData data = common_data(config, "train");
  data.kind = "training";
  data.title = last_names(training.folder, 1);
  const int64_t epochs = training.iterations / std::max<int64_t>(training.iterations_per_epoch, 1);
  const bool finished = training.iteration >= training.iterations;
  data.summary = {network_name(config),
                  fmt::format("{} iteration {} of {}, epoch {} of {}",
                              finished ? "finished:" : "running:", training.iteration, training.iterations,
                              training.iteration / std::max<int64_t>(training.iterations_per_epoch, 1), epochs),
                  training.folder};
  data.history = read_history(training.folder + "/log.jsonl");
  data.evaluation = training.validation;
  data.is_validation = true;
  data.evaluation_name =
      fmt::format("Validation during training, epoch {}",
                  training.validation_iteration / std::max<int64_t>(training.iterations_per_epoch, 1));
  data.lists.push_back(list_of("training", *training.training_set));
  if (training.validation_set != nullptr) data.lists.push_back(list_of("validation", *training.validation_set));
  data.time.push_back({"training so far", duration_text(training.seconds)});
  if (!data.history.steps.empty()) {
    data.time.push_back(
        {"speed, last logged", fmt::format("{:.2f} pictures a second", data.history.steps.back().images_per_second)});
  }
  if (training.validation != nullptr) {
    data.time.push_back({"last validation", duration_text(training.validation->seconds)});
  }
  data.time.push_back({"seed", fmt::format("{}", config.train.manual_seed)});
  write_file(training.folder + "/report.html", html_report(data));
}

void write_evaluation_report(const std::string& path, const Config& config, const Dataset& dataset,
                             const Evaluation& evaluation) {
  ReportData data = common_data(config, "eval");
  data.kind = "evaluation";
  data.title = last_names(config.test.save_folder, 2);
  data.summary = {network_name(config), fmt::format("{} of {} pictures of {}", evaluation.pictures.size(),
                                                    dataset.size(), listing_place(dataset.options()))};
  data.evaluation = &evaluation;
  data.evaluation_name = config.test.has_prediction ? "Saved predictions" : "Test protocol";
  if (!config.test.has_prediction) {
    data.summary.push_back("weights: " + config.test.model_path);
    data.history = read_history((fs::path(config.test.model_path).parent_path() / "log.jsonl").string());
  }
  data.lists.push_back(list_of("test", dataset));
  data.time.push_back({"evaluation", fmt::format("{}, {:.2f} s a picture", duration_text(evaluation.seconds),
                                                 evaluation.seconds / static_cast<double>(std::max<size_t>(
                                                                          evaluation.pictures.size(), 1)))});
  if (!data.history.steps.empty()) {
    data.time.push_back({"training", duration_text(data.history.steps.back().seconds)});
  }
  write_file(path, html_report(data));
}

}  // namespace giza::train
