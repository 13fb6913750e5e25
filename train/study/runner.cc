// Runs a study.
#include "train/study/runner.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
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
#include "train/checkpoint.h"
#include "train/config/keys.h"
#include "train/config/parts.h"
#include "train/config/yaml.h"
#include "train/cost/network_cost.h"
#include "train/progress.h"
#include "train/run_folder.h"
#include "train/signals.h"
#include "train/tester.h"
#include "train/trainer.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMetricsLimit = size_t{1} << 28;  // bytes of a metrics.json
constexpr const char* kPlace = "giza study";

using Words = std::vector<std::string>;

/// What the study itself sets for each row and seed.
constexpr std::array<const char*, 6> kOwnKeys{"TRAIN.manual_seed", "TRAIN.save_path", "TRAIN.resume",
                                              "TRAIN.start_epoch", "TEST.model_path", "TEST.save_folder"};

/// Multiply-adds in units of the progress bar, 10^9.
int64_t units(double macs) { return static_cast<int64_t>(macs / 1e9) + 1; }

/// The text of a file that may not be there.
std::optional<std::string> text_of(const std::string& path, size_t limit) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return std::nullopt;
  const std::vector<uint8_t> bytes = read_file(path, limit);
  return std::string(bytes.begin(), bytes.end());
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

class Runner {
 public:
  Runner(const Study& study, const StudyData& data, const StudyOptions& options);
  StudyResult run(const std::function<void(const StudyResult&)>& after_round);

 private:
  void check_earlier_runs();
  void count_costs();
  void survey();
  void work(size_t seed, size_t row);
  void train_row(const Config& config, SeedResult* result);
  void test_row(const Config& config, SeedResult* result);

  Config config_of(const RowResult& row, const SeedResult& seed) const {
    return row_config(result_.study, result_.data, row.row, result_.options.out, seed.seed);
  }
  /// True for the first row of those that share a training.
  bool trains(size_t row) const;
  void advance(int64_t units, const std::string& figure);
  std::string place() const;

  StudyResult result_;
  RunFolder folder_;  // made after all that can be refused before
  struct Cost {
    int64_t step = 0;  // an iteration, in multiply-adds of its forward pass
    int64_t iterations = 0, training = 0, test = 0;
  };
  std::vector<Cost> costs_;                      // of each row
  std::map<std::string, std::string> failures_;  // of trainings that diverged, by folder
  int64_t total_ = 0, done_ = 0;
  std::unique_ptr<Progress> progress_;
  size_t seed_ = 0, row_ = 0;  // at work
};

Runner::Runner(const Study& study, const StudyData& data, const StudyOptions& options)
    : result_{study, data, options, "", empty_rows(study, data, options)}, folder_(options.out, "--out") {
  result_.protocol = protocol_name(test_protocol(result_.rows.front().config));
}

bool Runner::trains(size_t row) const {
  const auto shares = [&](const RowResult& each) { return each.row.training == result_.rows[row].row.training; };
  return std::find_if(result_.rows.begin(), result_.rows.end(), shares) - result_.rows.begin() ==
         static_cast<std::ptrdiff_t>(row);
}

/// A training of other settings must not be taken for one of this study, not even one whose epochs alone differ.
void Runner::check_earlier_runs() {
  for (const RowResult& row : result_.rows) {
    for (const SeedResult& seed : row.seeds) {
      const std::string file = seed.folder + "/config.yaml";
      std::error_code error;
      if (!fs::exists(file, error)) continue;
      const std::vector<std::string> changed =
          changed_settings(training_settings(load_config(file)), training_settings(config_of(row, seed)));
      check<Refusal>(changed.empty(), "{}: was begun with other settings: {}; use the same ones, or another --out",
                     file, fmt::join(changed, "; "));
    }
  }
}

void Runner::count_costs() {
  for (const RowResult& row : result_.rows) {
    const Config& config = row.config;
    const Dataset training(dataset_options(config, Split::train)), tested(dataset_options(config, Split::test));
    const double passes = config.test.mirror ? 2 : 1;
    double scaled = 0;
    for (const double scale : config.test.scales) scaled += passes * scale * scale;
    Cost cost;
    cost.iterations = std::max<int64_t>(1, training.size() / config.train.batch_size) * config.train.epochs;
    // A backward pass is about two forward passes.
    cost.step = units(3 * row.train_macs * config.train.batch_size);
    cost.training = cost.step * cost.iterations;
    cost.test = units(row.macs * scaled * static_cast<double>(tested.size()));
    costs_.push_back(cost);
  }
}

/// How much there is to do, and how much of it is done already.
void Runner::survey() {
  for (size_t r = 0; r < result_.rows.size(); ++r) {
    const RowResult& row = result_.rows[r];
    for (const SeedResult& seed : row.seeds) {
      if (trains(r)) {
        total_ += costs_[r].training;
        std::error_code error;
        std::vector<std::string> faults;  // the training tells them
        const std::optional<FoundCheckpoint> found =
            fs::is_directory(seed.folder, error) ? newest_checkpoint(seed.folder, &faults) : std::nullopt;
        if (found) {
          done_ +=
              costs_[r].step * std::min(costs_[r].iterations, state_of_checkpoint(found->file, found->path).iteration);
        }
      }
      SeedResult there;
      total_ += costs_[r].test;
      if (read_result(config_of(row, seed), &there)) done_ += costs_[r].test;
    }
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

void Runner::train_row(const Config& config, SeedResult* result) {
  const auto known = failures_.find(config.train.save_path);
  if (known == failures_.end() && trains(row_)) {
    try {
      const TrainResult trained =
          train(config, [&](int64_t, double loss) { advance(costs_[row_].step, fmt::format("loss {:.4f}", loss)); });
      if (trained.steps > 0) fs::remove(config.test.save_folder + "/metrics.json");
      return;
    } catch (const Diverged& error) {
      failures_[config.train.save_path] = error.what();
      progress_->warn(fmt::format("{}: {}", place(), error.what()));
    }
  }
  if (const auto failed = failures_.find(config.train.save_path); failed != failures_.end()) {
    result->failure = failed->second;
  }
}

void Runner::test_row(const Config& config, SeedResult* result) {
  if (read_result(config, result)) return;
  const std::string& folder = config.test.save_folder;
  fs::create_directories(folder);
  fs::remove(folder + "/metrics.json");
  write_file(folder + "/config.yaml", to_yaml(config));
  const TestedNetwork network = load_tested_network(config);
  test(config, &network, Dataset(dataset_options(config, Split::test)), /*progress=*/true);
  check<Error>(read_result(config, result), "{}/metrics.json: cannot be read back", folder);
  advance(costs_[row_].test, fmt::format("mIoU {:.4f}", result->miou));
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
    if (const int signal = pending_signal()) throw Interrupted(signal, "stopped by a signal");
  } catch (const Interrupted& error) {
    throw Interrupted(error.signal(),
                      fmt::format("{}: {}; for the whole study, the same command goes on", place(), error.what()));
  }
}

StudyResult Runner::run(const std::function<void(const StudyResult&)>& after_round) {
  const SignalGuard guard;
  check_earlier_runs();
  if (!result_.data.scenes_folder.empty()) prepare_study_data(result_.data);
  count_costs();
  survey();
  progress_ = std::make_unique<Progress>("study", total_, "GMAC", done_);
  for (size_t seed = 0; seed < static_cast<size_t>(result_.options.seeds); ++seed) {
    for (size_t row = 0; row < result_.rows.size(); ++row) work(seed, row);
    if (after_round) after_round(result_);
  }
  progress_->finish();
  return std::move(result_);
}

}  // namespace

Config row_config(const Study& study, const StudyData& data, const StudyRow& row, const std::string& out,
                  int64_t seed) {
  Words words = study.base;
  words.insert(words.end(), row.train.begin(), row.train.end());
  words.insert(words.end(), row.test.begin(), row.test.end());
  std::set<std::string> taken(kOwnKeys.begin(), kOwnKeys.end());
  for (size_t i = 0; i < words.size(); i += 2) taken.insert(words[i]);
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
  Config config = parse_config(to_yaml(data.config), data.config.file, words);
  // What was given, and where, is told by the file of the data, not by the text that was made of it.
  config.origins = data.config.origins;
  for (const auto& [key, value] : config.overrides) config.origins[key] = kPlace;
  config.command = data.config.command;
  config.unused = data.config.unused;
  config.train.manual_seed = seed;
  config.train.save_path = fmt::format("{}/{}/seed_{}", out, row.training, seed);
  config.train.resume = "auto";
  config.train.start_epoch = 0;
  config.test.model_path = config.train.save_path + "/last.safetensors";
  config.test.save_folder = fmt::format("{}/test_{}", config.train.save_path, row.name);
  return config;
}

StudyResult run_study(const Study& study, const StudyData& data, const StudyOptions& options,
                      const std::function<void(const StudyResult&)>& after_round) {
  check(options.seeds >= 1 && !study.rows.empty(), "study: {} seeds, {} rows", options.seeds, study.rows.size());
  // Before there is a folder: data that is not there must not leave an empty one.
  if (data.scenes_folder.empty()) prepare_study_data(data);
  return Runner(study, data, options).run(after_round);
}

}  // namespace giza::train
