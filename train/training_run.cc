// Where a training begins, and what it keeps: the run folder, checkpoints, the log.
#include "train/detail/training_run.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <initializer_list>
#include <sstream>
#include <string_view>
#include <utility>

#include "models/weights/infer.h"
#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/parallel.h"
#include "tensor/ranks.h"
#include "train/check/glance.h"
#include "train/config/card.h"
#include "train/config/yaml.h"
#include "train/cost/rehearsal.h"
#include "train/initial_weights.h"
#include "train/report/html_parts.h"
#include "train/report/run_report.h"
#include "train/resume.h"
#include "train/together.h"

namespace giza::train {
namespace {

const Config& checked(const Config& config) {
  require_keys(config, {"TRAIN.save_path"});
  dataset_options(config, Split::train);
  if (config.train.evaluate) dataset_options(config, Split::val);
  return config;
}

/// A run's own config.yaml is written anew where it is the configuration, too.
std::vector<std::string> files_read(const Config& config, const Dataset& dataset) {
  std::vector<std::string> others = {config.train.weight};
  std::error_code error;
  if (!std::filesystem::equivalent(config.file, config.train.save_path + "/" + kConfigFile, error)) {
    others.push_back(config.file);
  }
  return input_files(std::move(others), config, dataset.options(), dataset.entries());
}

/// Comments in a configuration; those in quotes are none.
bool has_comments(const std::string& yaml) {
  std::istringstream lines(yaml);
  for (std::string line; std::getline(lines, line);) {
    const size_t sign = line.find('#');
    if (sign == std::string::npos || line.find_first_of("'\"") < sign) continue;
    if (sign == 0 || line[sign - 1] == ' ') return true;
  }
  return false;
}

/// Throws Refusal where the run would write over a file that no run of giza wrote.
void check_own_files(const RunFolder& folder) {
  const auto begins = [&](const char* name, size_t bytes) -> std::string {
    const std::string path = folder.file(name);
    std::error_code error;
    if (!std::filesystem::exists(path, error)) return {};
    const std::vector<uint8_t> read = read_file_prefix(path, bytes);
    return {read.begin(), read.end()};
  };
  const auto refuse = [&](const char* name, const char* why) {
    throw Refusal(
        fmt::format("{}: {}, so that no run wrote it, and this one would write over it; move it, or set "
                    "TRAIN.save_path to another folder",
                    folder.file(name), why));
  };
  const std::string configuration = begins(kConfigFile, kMaxYamlBytes);
  if (has_comments(configuration)) refuse(kConfigFile, "has comments");
  if (!configuration.empty() && !configuration.starts_with("DATA:\n")) refuse(kConfigFile, "is somebody's own");
  if (is_foreign_page(folder.file(kReportFile))) refuse(kReportFile, "is another page");
  constexpr std::string_view kLogStart = "{\"type\":";
  if (!kLogStart.starts_with(begins(kLogFile, kLogStart.size()))) refuse(kLogFile, "is another log");
}

/// Where a run goes on with pictures of another place than its config.yaml says: a word on that.
std::string moved_from(const RunFolder& folder, const Config& config) {
  std::error_code error;
  const std::string file = folder.file(kConfigFile);
  if (!std::filesystem::is_regular_file(file, error)) return {};
  try {
    const std::string moved = moved_data(load_config(file), config);
    return moved.empty() ? "" : fmt::format("{}; the training goes on with the pictures there", moved);
  } catch (const Refusal&) {
    return {};  // of a newer version, perhaps: it is written anew
  }
}

}  // namespace

TrainingRun::TrainingRun(const Config& config)
    : config_(checked(config)),
      train_(config.train),
      share_(train_.batch_size),
      dataset_(dataset_options(config, Split::train)),
      kept_(files_read(config, dataset_)),
      folder_(train_.save_path, "TRAIN.save_path", ranks::leads()),
      labels_(config, dataset_, folder_.path()),
      model_options_(model_options(config)),
      // The loader refuses a list shorter than a batch.
      iterations_per_epoch_(std::max<int64_t>(1, dataset_.size() / train_.batch_size)),
      iterations_(iterations_per_epoch_ * train_.epochs),
      schedule_(lr_schedule(config, iterations_)) {
  check_ranks_agree([&] {
    const auto difference = [](const std::string& first, const std::string& other) {
      return fmt::format("{}", fmt::join(changed_settings(first, other), "; "));
    };
    return std::vector<Fact>{{"the configuration", training_settings(config), difference},
                             {"the training list", list_hash(dataset_)}};
  });
  check<Refusal>(iterations_ <= INT32_MAX, "{}: {} iterations are too many", config.file, iterations_);
  if (train_.threads > 0) set_num_threads(train_.threads);
  if (train_.evaluate) {
    DatasetOptions options = dataset_options(config, Split::val);
    options.cache_bytes = 0;  // TRAIN.cache_mb is for the pictures of every epoch
    validation_set_ = std::make_unique<Dataset>(options);
  }
  check_training_fits(config);
  model_ = refusing(config, [&] { return models::make_parser(model_options_); });
  optimizer_ = std::make_unique<Sgd>(parameter_groups(config, *model_),
                                     SgdConfig{.momentum = train_.momentum, .weight_decay = train_.weight_decay});
  if (train_.ema_decay > 0) average_ = std::make_unique<WeightAverage>(*model_, train_.ema_decay);
  card_ = to_metadata(card_of(config));
  loss_options_ = {.ignore_label = train_.ignore_label, .class_weights = class_weights(config, dataset_)};
}

/// Puts the run where it is to begin: a checkpoint, given weights, or random ones. The rank that leads reads them.
void TrainingRun::start() {
  if (ranks::leads()) {
    check_own_files(folder_);
    found_ = checkpoint_to_resume(train_.resume, folder_.path());
  }
  if (!ranks::from_leader(found_ ? "found" : "").empty()) {
    resume();
  } else {
    check<Refusal>(train_.start_epoch < train_.epochs,
                   "{}: TRAIN.start_epoch {} leaves nothing to train of TRAIN.epochs {}; expected fewer",
                   config_place(config_, "TRAIN.start_epoch"), train_.start_epoch, train_.epochs);
    iteration_ = train_.start_epoch * iterations_per_epoch_;
    if (ranks::leads()) {
      const InitialWeights told = load_initial_weights(config_, model_options_, *model_);
      notes_.insert(notes_.end(), told.notes.begin(), told.notes.end());
      warnings_.insert(warnings_.end(), told.warnings.begin(), told.warnings.end());
    }
    if (average_) average_->restart();
  }
  start_alike(*model_, average_.get());
  if (ranks::leads()) open_log();
  result_.loss = ranks::from_leader(result_.loss);
}

void TrainingRun::open_log() {
  write_file(folder_.file(kConfigFile), to_yaml(config_));
  for (const Dataset* set : std::initializer_list<const Dataset*>{&dataset_, validation_set_.get()}) {
    if (set != nullptr && !set->note().empty()) {
      notes_.push_back(fmt::format("{}: {}", split_name(set->options().split), set->note()));
    }
  }
  if (iteration_ < iterations_) {
    for (auto& warning : glance_at_labels(dataset_)) warnings_.push_back(std::move(warning));
    for (auto& warning : glance_at_settings(config_, iterations_)) warnings_.push_back(std::move(warning));
  }
  // Where nothing is left to do, nothing in the log will come again.
  log_ = std::make_unique<TrainLog>(folder_.file(kLogFile), iteration_ < iterations_ ? iteration_ : INT64_MAX);
  result_.loss = log_->earlier_loss();  // until there is a step
  if (train_.tensorboard && event_files_available()) {
    tensorboard_ = std::make_unique<TensorBoard>(folder_.path(), iteration_, class_colors(config_));
  } else if (train_.tensorboard) {
    warnings_.emplace_back(
        "no TensorBoard events: this build has no Protocol Buffers (libprotobuf-dev, protobuf-compiler)");
  }
}

/// Goes on from the checkpoint that the rank that leads has found.
void TrainingRun::resume() {
  const std::vector<Sgd::Velocity> velocities = optimizer_->velocities();
  TrainingState state;
  std::string path;
  if (found_) {
    path = found_->path;
    state = state_of_checkpoint(found_->file, path);
    for (auto& note : check_resumed(state, path, config_, dataset_, iterations_)) notes_.push_back(std::move(note));
    if (const std::string moved = moved_from(folder_, config_); !moved.empty()) notes_.push_back(moved);
    restore_checkpoint(found_->file, path, *model_, velocities, average_.get());
    found_.reset();
  }
  optimizer_->set_velocities(velocities);
  path = ranks::from_leader(path);
  labels_.resume(ranks::from_leader(state.labels), path);
  sums_ = step_sums_from_json(ranks::from_leader(state.log), path);
  iteration_ = static_cast<int64_t>(ranks::from_leader(static_cast<double>(state.iteration)));
  result_.checkpoint = path;
  if (!ranks::leads()) return;
  if (train_.resume == "auto") {
    mend_last(folder_, path);
  } else if (iteration_ < iterations_) {
    const std::vector<std::string> later = set_aside_later(folder_, path, iteration_);
    if (!later.empty()) notes_.push_back(fmt::format("later checkpoints are set aside: {}", fmt::join(later, ", ")));
  }
  notes_.push_back(fmt::format("going on from {} at iteration {}", path, iteration_));
}

void TrainingRun::save() {
  const std::string broken = model_->first_non_finite();
  if (!broken.empty()) {
    throw Diverged(fmt::format("iteration {}: {} became NaN or infinite; it was not saved; {}; lower TRAIN.base_lr or "
                               "lengthen TRAIN.warmup_iters",
                               iteration_, broken,
                               result_.checkpoint.empty() ? "no checkpoint was written before"
                                                          : fmt::format("{} is whole", result_.checkpoint)),
                   /*op_known=*/false);
  }
  const std::vector<Sgd::Velocity> velocities = optimizer_->velocities();
  try {
    if (ranks::leads()) {
      result_.checkpoint = save_checkpoint(folder_, *model_, velocities,
                                           {.iteration = iteration_,
                                            .seed = static_cast<uint64_t>(train_.manual_seed),
                                            .config_hash = training_hash(config_),
                                            .settings = training_settings(config_),
                                            .list_hash = list_hash(dataset_),
                                            .model = models::options_to_json(model_->description()),
                                            .log = to_json(sums_),
                                            .labels = labels_.hash(),
                                            .card = card_},
                                           train_.keep_checkpoints, average_.get());
    }
    result_.checkpoint = ranks::from_leader(result_.checkpoint);
  } catch (const Error& error) {
    throw Error(fmt::format(
        "iteration {} of {} cannot be saved: {}; {}", iteration_, iterations_, error.what(),
        result_.checkpoint.empty()
            ? "no checkpoint was written before; make room, then begin again"
            : fmt::format("{} is whole; make room, then TRAIN.resume auto goes on from it", result_.checkpoint)));
  }
}

void check_training_starts(const Config& config) {
  const Dataset dataset(dataset_options(config, Split::train));
  if (config.train.evaluate) dataset_options(config, Split::val);
  check_training_fits(config);
  const int64_t iterations =
      std::max<int64_t>(1, dataset.size() / config.train.batch_size) * int64_t{config.train.epochs};
  std::optional<FoundCheckpoint> found;
  if (!config.train.resume.empty()) found = checkpoint_to_resume(config.train.resume, config.train.save_path);
  if (found) {
    check_resumed(state_of_checkpoint(found->file, found->path), found->path, config, dataset, iterations);
  } else if (!config.train.weight.empty()) {
    const models::NetworkOptions options = model_options(config);
    load_initial_weights(config, options, *refusing(config, [&] { return models::make_parser(options); }));
  }
}

/// Writes to the log. Where that fails the work is saved, if there is still room for it, before the run ends.
void TrainingRun::record(const std::function<void()>& write) {
  std::string reason;
  try {
    if (ranks::leads()) write();
  } catch (const Error& error) {
    reason = error.what();
  }
  reason = ranks::from_leader(reason);
  if (reason.empty()) return;
  save();
  throw Error(fmt::format("{}; stopped at iteration {} of {}, saved {}; TRAIN.resume auto goes on", reason, iteration_,
                          iterations_, result_.checkpoint));
}

std::string TrainingRun::standing() const {
  return fmt::format("stopped in iteration {} of {}; {}", std::min(iteration_ + 1, iterations_), iterations_,
                     result_.checkpoint.empty()
                         ? "no checkpoint was written before"
                         : fmt::format("{} is whole, and TRAIN.resume auto goes on from it", result_.checkpoint));
}

}  // namespace giza::train
