// Gathers what report.html shows, and writes it.
#include "train/report/run_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <filesystem>

#include "tensor/base/file.h"
#include "tensor/base/hash.h"
#include "tensor/base/machine.h"
#include "tensor/base/text.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"
#include "train/config/keys.h"
#include "train/config/parts.h"
#include "train/report/html_report.h"

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

/// "2 h 05 min", "4.1 s"
std::string duration_text(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "unknown";
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto minutes = static_cast<int64_t>(seconds / 60);
  if (minutes < 60) return fmt::format("{} min {:02} s", minutes, static_cast<int64_t>(seconds) % 60);
  return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
}

std::string network_name(const Config& config) {
  const TrainConfig& train = config.train;
  return fmt::format("{}{}, {} classes", network_title(config),
                     train.blocks.empty() && train.width == 1 ? "" : " (changed in blocks or width)",
                     config.data.classes);
}

ReportList list_of(const std::string& role, const Dataset& dataset) {
  return {role, listing_place(dataset.options()), dataset.size(), list_hash(dataset)};
}

/// What both kinds of pages have.
ReportData common_data(const Config& config) {
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
  data.whole_pictures = classifies_pictures(config);
  data.machine = machine_facts();
  data.written = now_utc();
  data.command = config.command;
  std::error_code error;
  if (const fs::path here = fs::current_path(error); !error) data.machine.push_back({"working folder", here.string()});
  return data;
}

}  // namespace

std::vector<ReportFact> machine_facts() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return {{"giza", fmt::format("{}, built by {}", GIZA_VERSION, compiler_name())},
          {"processor", fmt::format("{}, {} processors", processor_name(), sysconf(_SC_NPROCESSORS_ONLN))},
          {"SIMD target", fmt::format("{} (of {})", isa(), fmt::join(isa_targets(), ", "))},
          {"threads", std::to_string(num_threads())},
          {"memory",
           fmt::format("{:.1f} GB; this process used at most {:.2f} GB", static_cast<double>(physical_memory()) / 1e9,
                       static_cast<double>(usage.ru_maxrss) * 1024 / 1e9)},
          {"system", system_name()}};
}

std::string now_utc() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} UTC", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour,
                     utc.tm_min);
}

std::string list_hash(const Dataset& dataset) {
  Fnv1a hash;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const ListEntry& entry = dataset.entry(i);
    hash.add_bytes(fs::path(entry.image).filename().string() + "\n");
    // Two classes may have pictures of one name.
    if (entry.picture_class >= 0) hash.add_bytes(fmt::format("{}\n", entry.picture_class));
  }
  return fmt::format("{:016x}", hash.value());
}

void write_training_report(const Config& config, const TrainingReport& training) {
  ReportData data = common_data(config);
  data.kind = "training";
  data.title = last_names(training.folder, 1);
  const auto epoch_of = [&](int64_t iteration) {
    return iteration / std::max<int64_t>(training.iterations_per_epoch, 1);
  };
  const bool finished = training.iteration >= training.iterations;
  data.summary = {
      network_name(config),
      fmt::format("{} iteration {} of {}, epoch {} of {}", finished ? "finished:" : "running:", training.iteration,
                  training.iterations, epoch_of(training.iteration), epoch_of(training.iterations)),
      training.folder};
  data.history = read_history(training.folder + "/log.jsonl");
  data.evaluation = training.validation;
  data.is_validation = true;
  data.evaluation_name = fmt::format("Validation during training, epoch {}", epoch_of(training.validation_iteration));
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
  ReportData data = common_data(config);
  data.kind = "evaluation";
  data.title = last_names(config.test.save_folder, 2);
  data.summary = {network_name(config),
                  fmt::format("{} of {} of {}", evaluation.pictures.size(), counted(dataset.size(), "picture"),
                              listing_place(dataset.options()))};
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
