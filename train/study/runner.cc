// Runs a study.
#include "train/study/runner.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/parallel.h"
#include "tensor/ranks.h"
#include "train/checkpoint.h"
#include "train/config/keys.h"
#include "train/config/parts.h"
#include "train/config/yaml.h"
#include "train/cost/network_cost.h"
#include "train/data/dataset.h"
#include "train/progress.h"
#include "train/report/html_parts.h"
#include "train/resume.h"
#include "train/run_folder.h"
#include "train/signals.h"
#include "train/study/costs.h"
#include "train/tester.h"
#include "train/together.h"
#include "train/trainer.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMetricsLimit = size_t{1} << 28;  // bytes of a metrics.json
constexpr const char* kPlace = "giza study";

using Words = std::vector<std::string>;

/// What the study itself sets for each row and seed.
constexpr std::array<const char*, 8> kOwnKeys{"TRAIN.manual_seed", "TRAIN.save_path",    "TRAIN.resume",
                                              "TRAIN.start_epoch", "TEST.model_path",    "TEST.save_folder",
                                              "TEST.split",        "TEST.has_prediction"};

/// The text of a file that may not be there.
std::optional<std::string> text_of(const std::string& path, size_t limit) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return std::nullopt;
  const std::vector<uint8_t> bytes = read_file(path, limit);
  return std::string(bytes.begin(), bytes.end());
}

/// What is true at the rank that leads, which reads and writes the folder of the study.
bool at_leader(const std::function<bool()>& is) {
  return !ranks::from_leader(ranks::leads() && is() ? "yes" : "").empty();
}

/// Fills a result from TEST.save_folder, if the test of this very configuration is there.
bool read_result(const Config& config, SeedResult* result) {
  const std::string& folder = config.test.save_folder;
  if (text_of(folder + "/config.yaml", kMaxYamlBytes) != to_yaml(config)) return false;
  const std::optional<std::string> text = text_of(folder + "/metrics.json", kMetricsLimit);
  const nlohmann::json json = nlohmann::json::parse(text.value_or(""), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return false;
  try {
    result->miou = json.at("mIoU").get<double>();
    result->all_acc = json.at("allAcc").get<double>();
    result->picture_acc.clear();
    for (const auto& picture : json.at("pictures")) result->picture_acc.push_back(picture.at("allAcc").get<double>());
  } catch (const nlohmann::json::exception&) {
    return false;  // no file of ours: it is written anew
  }
  return true;
}

bool has_pretrained(const Study& study) {
  return std::any_of(study.rows.begin(), study.rows.end(), [](const StudyRow& row) { return row.pretrained; });
}
bool has_parts(const Study& study) {
  return std::any_of(study.rows.begin(), study.rows.end(), [](const StudyRow& row) { return row.labels < 1; });
}

std::string test_folder(const std::string& training, const StudyRow& row) {
  return fmt::format("{}/test_{}", training, row.name);
}

/// Of the classifier that the rows of a seed begin from.
std::string pretraining_folder(const std::string& out, int64_t seed) {
  return fmt::format("{}/pretraining/seed_{}", out, seed);
}

/// What a study said at its end, or after a seed, must not be overwritten by another's.
void check_earlier_study(const std::string& out, const std::string& study, const std::string& data) {
  const std::string file = out + "/study.json";
  const std::string text = text_of(file, kMetricsLimit).value_or("");
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  check<Refusal>(text.empty() || (json.is_object() && json.contains("study")),
                 "{}: no study wrote it, and this one would write over it; move it, or use another --out", file);
  const std::string page = out + "/report.html";
  check<Refusal>(!is_foreign_page(page),
                 "{}: is another page, and the study would write over it; move it, or use another --out", page);
  const auto told = [&](const char* key, const std::string& ours) {
    return json.is_object() && json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : ours;
  };
  const std::string other = told("study", study), its_data = told("data", data);
  check<Refusal>(other == study && its_data == data, "{}: is of the study {} with --data {}; use another --out", file,
                 other, its_data);
}

void check_earlier_run(const Config& config) {
  const std::string file = config.train.save_path + "/config.yaml";
  std::error_code error;
  if (!fs::exists(file, error)) return;
  const Config before = load_config(file);
  std::vector<std::string> changed = changed_settings(training_settings(before), training_settings(config));
  if (std::string moved = moved_data(before, config); !moved.empty()) changed.push_back(std::move(moved));
  check<Refusal>(changed.empty(), "{}: was begun with other settings: {}; use the same ones, or another --out", file,
                 fmt::join(changed, "; "));
}

/// The rows with their configurations and networks, before there are results.
std::vector<RowResult> empty_rows(const Study& study, const StudyData& data, const StudyOptions& options) {
  std::vector<RowResult> rows;
  for (const StudyRow& row : study.rows) {
    RowResult each;
    each.row = row;
    each.config = row_config(study, data, row, options.out, options.first_seed);
    for (const PartCost& part : network_cost(each.config, num_threads())) {
      each.train_macs += part.train_macs;
      if (part.name == "aux") continue;
      each.parameters += part.parameters;
      each.macs += part.test_macs;
    }
    for (int i = 0; i < options.seeds; ++i) {
      SeedResult seed;
      seed.seed = options.first_seed + i;
      seed.folder = row_config(study, data, row, options.out, seed.seed).train.save_path;
      each.seeds.push_back(std::move(seed));
    }
    rows.push_back(std::move(each));
  }
  return rows;
}

/// Before the first of them is trained: a row that cannot be must not be found after hours.
void check_rows(const Study& study, const StudyData& data, const StudyOptions& options) {
  for (const StudyRow& row : study.rows) {
    with_place(fmt::format("row \"{}\"", row.title), [&] {
      Config config = row_config(study, data, row, options.out, options.first_seed);
      if (row.pretrained) config.train.weight.clear();  // which the study makes
      config.train.save_path = config.train.resume = "";
      check_training_starts(config);
      const Dataset tested(dataset_options(config, Split::test));
      check<Refusal>(tested_pictures(config.test).begin < tested.size(),
                     "{}: TEST.index_start {} leaves none of the {} pictures to test",
                     config_place(config, "TEST.index_start"), config.test.index_start, tested.size());
    });
  }
}

class Runner {
 public:
  Runner(const Study& study, const StudyData& data, const StudyOptions& options);
  StudyResult run(const std::function<void(const StudyResult&)>& after_round);

 private:
  void check_earlier_runs();
  void survey();
  void work(size_t seed, size_t row);
  /// Trains and remembers a divergence.
  void train_once(const Config& config, int64_t step_cost);
  void forget_tests(const std::string& training) const;
  void train_row(const Config& config, SeedResult* result);
  void test_row(const Config& config, SeedResult* result);

  Config config_of(const RowResult& row, const SeedResult& seed) const {
    return row_config(result_.study, result_.data, row.row, result_.options.out, seed.seed);
  }
  /// True for the first row of those that share a training.
  bool trains(size_t row) const;
  void advance(int64_t more, const std::string& figure);
  std::string place() const;

  StudyResult result_;
  RunFolder folder_;  // made after all that can be refused before
  StudyCosts costs_;
  std::map<std::string, std::string> failures_;  // of trainings that diverged, by folder
  int64_t total_ = 0, done_ = 0;
  std::unique_ptr<Progress> progress_;
  size_t seed_ = 0, row_ = 0;  // at work
};

Runner::Runner(const Study& study, const StudyData& data, const StudyOptions& options)
    : result_{study, data, options, "", empty_rows(study, data, options)},
      folder_(options.out, "--out", ranks::leads()) {
  result_.protocol = protocol_name(test_protocol(result_.rows.front().config));
}

bool Runner::trains(size_t row) const {
  const auto shares = [&](const RowResult& each) { return each.row.training == result_.rows[row].row.training; };
  return std::find_if(result_.rows.begin(), result_.rows.end(), shares) - result_.rows.begin() ==
         static_cast<std::ptrdiff_t>(row);
}

/// A training of other settings must not be taken for one of this study, not even one whose epochs alone differ.
void Runner::check_earlier_runs() {
  check_earlier_study(result_.options.out, result_.study.name, result_.data.name);
  for (const RowResult& row : result_.rows) {
    for (const SeedResult& seed : row.seeds) {
      check_earlier_run(config_of(row, seed));
      if (row.row.pretrained) check_earlier_run(pretraining_config(result_.data, result_.options.out, seed.seed));
    }
  }
}

/// How much there is to do, and how much of it is done already.
void Runner::survey() {
  for (size_t r = 0; r < result_.rows.size(); ++r) {
    const RowResult& row = result_.rows[r];
    for (const SeedResult& seed : row.seeds) {
      if (trains(r)) {
        total_ += costs_.rows[r].training;
        done_ += done_of(costs_.rows[r], seed.folder);
      }
      SeedResult there;
      total_ += costs_.rows[r].test;
      if (read_result(config_of(row, seed), &there)) done_ += costs_.rows[r].test;
    }
  }
  for (const SeedResult& seed : result_.rows.front().seeds) {
    total_ += costs_.pretraining.training;
    done_ += done_of(costs_.pretraining, pretraining_folder(result_.options.out, seed.seed));
  }
}

std::string Runner::place() const {
  return fmt::format("seed {} of {}, row {} of {} ({})", seed_ + 1, result_.options.seeds, row_ + 1,
                     result_.rows.size(), result_.rows[row_].row.title);
}

void Runner::advance(int64_t more, const std::string& figure) {
  done_ = std::min(done_ + more, total_);
  progress_->update(done_, figure.empty() ? place() : fmt::format("{}: {}", place(), figure));
}

void Runner::train_once(const Config& config, int64_t step_cost) {
  if (failures_.contains(config.train.save_path)) return;
  try {
    const TrainResult trained =
        train(config, [&](int64_t, double loss) { advance(step_cost, fmt::format("loss {:.4f}", loss)); });
    if (trained.steps > 0 && ranks::leads()) forget_tests(config.train.save_path);
  } catch (const Diverged& error) {
    failures_[config.train.save_path] = error.what();
    progress_->warn(fmt::format("{}: {}", place(), error.what()));
  }
}

/// Of all rows that share the training in this folder: it went on, so what they came to is of other weights.
void Runner::forget_tests(const std::string& training) const {
  std::error_code error;  // one that cannot go is told where the test is written
  for (const RowResult& row : result_.rows) fs::remove(test_folder(training, row.row) + "/metrics.json", error);
}

void Runner::train_row(const Config& config, SeedResult* result) {
  const auto failed = [&](const std::string& folder) {
    const auto found = failures_.find(folder);
    if (found != failures_.end()) result->failure = found->second;
    return found != failures_.end();
  };
  std::error_code error;
  // What a row begins from is needed until it has a checkpoint of its own.
  if (result_.rows[row_].row.pretrained && at_leader([&] { return !fs::exists(config.test.model_path, error); })) {
    const Config classifier = pretraining_config(result_.data, result_.options.out, config.train.manual_seed);
    train_once(classifier, costs_.pretraining.step);
    if (failed(classifier.train.save_path)) return;
  }
  if (trains(row_)) train_once(config, costs_.rows[row_].step);
  failed(config.train.save_path);
}

void Runner::test_row(const Config& config, SeedResult* result) {
  if (at_leader([&] { return read_result(config, result); })) return;
  const std::string& folder = config.test.save_folder;
  if (ranks::leads()) {
    make_folder(folder);
    std::error_code error;
    fs::remove(folder + "/metrics.json", error);
    write_file(folder + "/config.yaml", to_yaml(config));
  }
  const TestedNetwork network = load_tested_network(config);
  test(config, &network, Dataset(dataset_options(config, Split::test)), /*progress=*/true);
  if (!ranks::leads()) return;
  check<Error>(read_result(config, result), "{}/metrics.json: cannot be read back", folder);
  advance(costs_.rows[row_].test, fmt::format("mIoU {:.4f}", result->miou));
}

void Runner::work(size_t seed, size_t row) {
  seed_ = seed;
  row_ = row;
  SeedResult& result = result_.rows[row].seeds[seed];
  const Config config = config_of(result_.rows[row], result);
  const ProgressPause pause(*progress_);
  try {
    train_row(config, &result);
    if (result.failure.empty()) test_row(config, &result);
    if (const int signal = signal_anywhere()) throw Interrupted(signal, "stopped by a signal");
  } catch (const Interrupted& error) {
    throw Interrupted(error.signal(),
                      fmt::format("{}: {}; for the whole study, the same command goes on", place(), error.what()));
  }
}

StudyResult Runner::run(const std::function<void(const StudyResult&)>& after_round) {
  const SignalGuard guard;
  if (ranks::leads()) {
    check_earlier_runs();
    if (!result_.data.scenes_folder.empty()) prepare_study_data(result_.data);
    if (has_pretrained(result_.study)) prepare_study_things(result_.data);
    for (const RowResult& row : result_.rows) {
      if (row.row.labels < 1) write_part_list(result_.data, row.row.labels);
    }
  }
  ranks::from_leader("");  // the others read what it wrote
  if (!result_.data.scenes_folder.empty()) check_rows(result_.study, result_.data, result_.options);
  costs_ = study_costs(result_);
  if (ranks::leads()) survey();
  progress_ = std::make_unique<Progress>("study", total_, "GMAC", done_);
  for (size_t seed = 0; seed < static_cast<size_t>(result_.options.seeds); ++seed) {
    for (size_t row = 0; row < result_.rows.size(); ++row) work(seed, row);
    if (after_round && ranks::leads()) after_round(result_);
  }
  progress_->finish();
  return std::move(result_);
}

}  // namespace

Config pretraining_config(const StudyData& data, const std::string& out, int64_t seed) {
  Config config = classifier_config(data);
  config.train.manual_seed = seed;
  config.train.save_path = pretraining_folder(out, seed);
  config.test.model_path = config.train.save_path + "/last.safetensors";
  config.test.save_folder = config.train.save_path + "/test";
  return config;
}

Config row_config(const Study& study, const StudyData& data, const StudyRow& row, const std::string& out,
                  int64_t seed) {
  Words words = study.base;
  words.insert(words.end(), row.train.begin(), row.train.end());
  words.insert(words.end(), row.test.begin(), row.test.end());
  std::set<std::string> taken(kOwnKeys.begin(), kOwnKeys.end());
  for (size_t i = 0; i < words.size(); i += 2) taken.insert(words[i]);
  if (has_pretrained(study)) taken.insert("TRAIN.weight");
  if (has_parts(study)) taken.insert("DATA.train_list");
  for (const auto& [key, value] : data.config.overrides) {
    check<Refusal>(!taken.contains(key), "command line: {} is what {} sets for its rows, leave it out", key,
                   study.name);
  }
  // The text has no options of networks that the base is not; a row may be one of these.
  for (const Key& key : config_keys()) {
    const std::string name = key.full_name();
    if (!key.of_network || applies(key, data.config) || !data.config.given(name) || taken.contains(name)) continue;
    words.insert(words.end(), {name, write_value(key, data.config)});
  }
  // What was given, and where, is told by the file of the data, not by the text that is made of it.
  std::map<std::string, std::string> places = data.config.origins;
  for (size_t i = 0; i + 1 < words.size(); i += 2) places[words[i]] = kPlace;
  Config config = parse_made_config(to_yaml(data.config), data.config.file, words, places);
  std::erase_if(config.origins, [&](const auto& key) { return !places.contains(key.first); });
  config.command = data.config.command;
  config.unused = data.config.unused;
  if (config.data.weak_labels != "full" && config.data.thing_classes.empty()) {
    config.data.thing_classes = data.thing_classes;
  }
  if (row.labels < 1) {
    config.data.train_list = part_list(data, row.labels);
    for (int* epochs : {&config.train.epochs, &config.train.save_freq, &config.train.eval_freq}) {
      *epochs = static_cast<int>(std::lround(*epochs / row.labels));
    }
  }
  if (row.pretrained) config.train.weight = pretraining_folder(out, seed) + "/last.safetensors";
  config.train.manual_seed = seed;
  config.train.save_path = fmt::format("{}/{}/seed_{}", out, row.training, seed);
  config.train.resume = "auto";
  config.train.start_epoch = 0;
  config.test.model_path = config.train.save_path + "/last.safetensors";
  config.test.save_folder = test_folder(config.train.save_path, row);
  return config;
}

StudyResult run_study(const Study& study, const StudyData& data, const StudyOptions& options,
                      const std::function<void(const StudyResult&)>& after_round) {
  check(options.seeds >= 1 && !study.rows.empty(), "study: {} seeds, {} rows", options.seeds, study.rows.size());
  check<Refusal>(!data.things_folder.empty() || !has_pretrained(study),
                 "--data {}: the study {} needs pictures of one thing each to pretrain a trunk on, which only --data "
                 "scenes has",
                 data.name, study.name);
  // Before there is a folder: what cannot be trained must not leave an empty one.
  if (data.scenes_folder.empty()) {
    prepare_study_data(data);
    check_rows(study, data, options);
  }
  return Runner(study, data, options).run(after_round);
}

}  // namespace giza::train
