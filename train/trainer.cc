// The training loop.
#include "train/trainer.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <utility>

#include "models/scene_parser.h"
#include "models/weights/infer.h"
#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/base/message.h"
#include "tensor/base/stopwatch.h"
#include "tensor/ops/batch_share.h"
#include "tensor/parallel.h"
#include "tensor/ranks.h"
#include "train/check/glance.h"
#include "train/checkpoint.h"
#include "train/config/card.h"
#include "train/config/parts.h"
#include "train/cost/rehearsal.h"
#include "train/data/loader.h"
#include "train/initial_weights.h"
#include "train/label_rounds.h"
#include "train/progress.h"
#include "train/report/run_report.h"
#include "train/resume.h"
#include "train/signals.h"
#include "train/tensorboard.h"
#include "train/together.h"
#include "train/train_log.h"

namespace giza::train {
namespace {

using autograd::Variable;

class Trainer {
 public:
  explicit Trainer(const Config& config);
  TrainResult run(const StepObserver& after_step);
  /// Where it was when it had to stop without saving.
  std::string standing() const;

 private:
  void start();
  void resume();
  void open_log();
  models::ParserLoss forward(const Batch& batch);
  double step(const Batch& batch, double learning_rate);
  void save();
  void record(const std::function<void()>& write);
  void begin_round(const LabelRound& round);
  void train_round(const StepObserver& after_step);
  void validate_if_due();
  void write_report();
  void stop_on_signal();

  int64_t epoch() const { return iteration_ / iterations_per_epoch_; }
  bool at_epoch_end() const { return iteration_ > 0 && iteration_ % iterations_per_epoch_ == 0; }
  double run_seconds() const { return (log_ ? log_->earlier_seconds() : 0) + watch_.seconds(); }

  const Config& config_;
  const TrainConfig& train_;
  const ops::BatchShare share_;
  Dataset dataset_;  // before the folder: a bad list must not leave an empty one
  RunFolder folder_;
  LabelRounds labels_;
  std::unique_ptr<Dataset> validation_set_;
  std::optional<FoundCheckpoint> found_;  // until it is read
  models::NetworkOptions model_options_;
  std::unique_ptr<models::SceneParser> model_;
  std::unique_ptr<Sgd> optimizer_;
  std::unique_ptr<WeightAverage> average_;  // null where the weights are not averaged
  ops::CrossEntropyOptions loss_options_;
  std::map<std::string, std::string> card_;
  int64_t iterations_per_epoch_, iterations_;
  LrSchedule schedule_;

  int64_t iteration_ = 0;  // steps done
  StepSums sums_;          // since the last line of the log
  StepTimes times_;        // of those of them that this process did
  Stopwatch watch_;
  std::vector<std::string> notes_, warnings_;  // what start() has to tell
  std::unique_ptr<TrainLog> log_;             // null where another rank writes it
  std::unique_ptr<TensorBoard> tensorboard_;  // null where it is off
  std::unique_ptr<Progress> progress_;
  TrainResult result_;
};

const Config& checked(const Config& config) {
  require_keys(config, {"TRAIN.save_path"});
  dataset_options(config, Split::train);
  if (config.train.evaluate) dataset_options(config, Split::val);
  return config;
}

Trainer::Trainer(const Config& config)
    : config_(checked(config)),
      train_(config.train),
      share_(train_.batch_size),
      dataset_(dataset_options(config, Split::train)),
      folder_(train_.save_path, "TRAIN.save_path", ranks::leads()),
      labels_(config, dataset_, folder_.path()),
      model_options_(model_options(config)),
      // The loader refuses a list shorter than a batch.
      iterations_per_epoch_(std::max<int64_t>(1, dataset_.size() / train_.batch_size)),
      iterations_(iterations_per_epoch_ * train_.epochs),
      schedule_(lr_schedule(config, iterations_)) {
  const auto difference = [](const std::string& first, const std::string& other) {
    return fmt::format("{}", fmt::join(changed_settings(first, other), "; "));
  };
  check_ranks_agree({{"the configuration", training_settings(config), difference},
                     {"the training list", list_hash(dataset_)}});
  check<Refusal>(iterations_ <= INT32_MAX, "{}: {} iterations are too many", config.file, iterations_);
  if (train_.threads > 0) set_num_threads(train_.threads);
  if (train_.evaluate) validation_set_ = std::make_unique<Dataset>(dataset_options(config, Split::val));
  check_training_fits(config);
  model_ = refusing(config, [&] { return models::make_parser(model_options_); });
  optimizer_ = std::make_unique<Sgd>(parameter_groups(config, *model_),
                                     SgdConfig{.momentum = train_.momentum, .weight_decay = train_.weight_decay});
  if (train_.ema_decay > 0) average_ = std::make_unique<WeightAverage>(*model_, train_.ema_decay);
  card_ = to_metadata(card_of(config));
  loss_options_ = {.ignore_label = train_.ignore_label, .class_weights = class_weights(config, dataset_)};
}

/// Puts the run where it is to begin: a checkpoint, given weights, or random ones. The rank that leads reads them.
void Trainer::start() {
  if (ranks::leads()) found_ = checkpoint_to_resume(train_.resume, folder_.path());
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

void Trainer::open_log() {
  write_file(folder_.file("config.yaml"), to_yaml(config_));
  if (iteration_ < iterations_) {
    for (auto& warning : glance_at_labels(dataset_)) warnings_.push_back(std::move(warning));
    for (auto& warning : glance_at_settings(config_, iterations_)) warnings_.push_back(std::move(warning));
  }
  // Where nothing is left to do, nothing in the log will come again.
  log_ = std::make_unique<TrainLog>(folder_.file("log.jsonl"), iteration_ < iterations_ ? iteration_ : INT64_MAX);
  result_.loss = log_->earlier_loss();  // until there is a step
  if (train_.tensorboard && event_files_available()) {
    tensorboard_ = std::make_unique<TensorBoard>(folder_.path(), iteration_, class_colors(config_));
  } else if (train_.tensorboard) {
    warnings_.emplace_back(
        "no TensorBoard events: this build has no Protocol Buffers (libprotobuf-dev, protobuf-compiler)");
  }
}

/// Goes on from the checkpoint that the rank that leads has found.
void Trainer::resume() {
  const std::vector<Sgd::Velocity> velocities = optimizer_->velocities();
  TrainingState state;
  std::string path;
  if (found_) {
    path = found_->path;
    state = state_of_checkpoint(found_->file, path);
    for (auto& note : check_resumed(state, path, config_, dataset_, iterations_)) notes_.push_back(std::move(note));
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

models::ParserLoss Trainer::forward(const Batch& batch) {
  const layers::Context context{.training = true,
                                .seed = static_cast<uint64_t>(train_.manual_seed),
                                .iteration = static_cast<uint32_t>(iteration_),
                                .recompute = train_.recompute};
  const models::ParserOutput output =
      refusing(config_, [&] { return model_->forward(Variable(batch.images), context); });
  return model_->loss(output, batch.labels, loss_options_, train_.aux_weight);
}

/// One update. Returns the loss.
double Trainer::step(const Batch& batch, double learning_rate) {
  const ops::Sharing sharing(share_);
  const auto stop = [&](const std::string& what) {
    throw Diverged(
        fmt::format("iteration {}: {}; nothing was updated or saved since the last checkpoint; samples: {}; lower "
                    "TRAIN.base_lr or lengthen TRAIN.warmup_iters",
                    iteration_ + 1, what, fmt::join(batch.names, ", ")));
  };
  optimizer_->zero_grad();
  models::ParserLoss losses;
  try {
    losses = forward(batch);
    if (!std::isfinite(losses.total.value().item())) stop("the loss is NaN or infinite");
    autograd::backward(losses.total);
    ops::finish_gradients();
  } catch (const autograd::NonFinite& error) {
    stop(error.what());
  }
  const std::string parameter = optimizer_->first_non_finite_gradient();
  if (!parameter.empty()) stop("the gradient of " + parameter + " is NaN or infinite");
  const double loss = static_cast<double>(losses.total.value().item());
  optimizer_->step(learning_rate);
  ++iteration_;
  if (average_) average_->update(iteration_);
  ++sums_.steps;
  sums_.loss += loss;
  sums_.main_loss += losses.main;
  sums_.aux_loss += losses.aux;
  // Of its own pictures, until now.
  const std::vector<double> counts = ranks::sums({static_cast<double>(losses.valid), static_cast<double>(losses.right)});
  sums_.valid += static_cast<int64_t>(counts[0]);
  sums_.right += static_cast<int64_t>(counts[1]);
  return loss;
}

void Trainer::save() {
  const std::string broken = model_->first_non_finite();
  if (!broken.empty()) {
    throw Diverged(
        fmt::format("iteration {}: {} became NaN or infinite; it was not saved; {}; lower TRAIN.base_lr or "
                    "lengthen TRAIN.warmup_iters",
                    iteration_, broken,
                    result_.checkpoint.empty() ? "no checkpoint was written before"
                                               : fmt::format("{} is whole", result_.checkpoint)));
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

/// Writes to the log. Where that fails the work is saved, if there is still room for it, before the run ends.
void Trainer::record(const std::function<void()>& write) {
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

void Trainer::stop_on_signal() {
  const int signal = signal_anywhere();
  if (signal == 0) return;
  save();
  throw Interrupted(
      signal, fmt::format("stopped by a signal at iteration {} of {}; saved {}; TRAIN.resume auto goes on", iteration_,
                          iterations_, result_.checkpoint));
}

/// Also called where a resumed run begins, in case the last one was stopped before its validation.
void Trainer::validate_if_due() {
  const bool last = iteration_ == iterations_;
  if (!train_.evaluate || !at_epoch_end() || (epoch() % train_.eval_freq != 0 && !last)) return;
  const bool done = log_ && log_->last_validation() >= iteration_;
  if (!ranks::from_leader(done ? "done" : "").empty()) return;
  const ProtocolOptions protocol = validation_protocol(config_);
  EvaluateOptions options;
  options.protocol = protocol_name(protocol);
  options.names = class_names(config_);
  options.examples = kReportExamples;
  Predictor predictor = network_predictor(network_of(*model_, fmt::format("iteration {}", iteration_)), protocol);
  if (tensorboard_) predictor = tensorboard_->watch(std::move(predictor), *validation_set_);
  try {
    const WithAverage averaged(average_.get());
    result_.validation = evaluate(predictor, *validation_set_, options);
  } catch (const Interrupted&) {
    stop_on_signal();
    throw;
  }
  record([&] {
    log_->write_validation(iteration_, epoch(), *result_.validation, run_seconds());
    if (tensorboard_) tensorboard_->write_validation(iteration_, *result_.validation, *validation_set_);
  });
  const Metrics& metrics = result_.validation->metrics;
  progress_->note(fmt::format("epoch {}: mIoU {:.4f}, allAcc {:.4f}{} ({})", epoch(), metrics.miou, metrics.all_acc,
                              result_.validation->whole_pictures ? " (top-1)" : "", options.protocol));
  write_report();
}

/// report.html as of now. A training does not end because its page could not be written.
void Trainer::write_report() try {
  if (!ranks::leads()) return;
  write_training_report(config_, {.folder = folder_.path(),
                                  .iteration = iteration_,
                                  .iterations = iterations_,
                                  .iterations_per_epoch = iterations_per_epoch_,
                                  .seconds = run_seconds(),
                                  .training_set = &dataset_,
                                  .validation_set = validation_set_.get(),
                                  .validation = result_.validation ? &*result_.validation : nullptr,
                                  .validation_iteration = log_->last_validation()});
} catch (const std::exception& error) {
  progress_->warn(fmt::format("no report: {}", error.what()));
}

TrainResult Trainer::run(const StepObserver& after_step) {
  const SignalGuard guard;
  start();
  progress_ = std::make_unique<Progress>("train", iterations_, "it", iteration_);
  for (const std::string& note : notes_) progress_->note(note);
  for (const std::string& warning : warnings_) progress_->warn(warning);
  validate_if_due();
  const int64_t first = iteration_;
  while (iteration_ < iterations_) train_round(after_step);
  // Where nothing was left to do, the page of the run is still there, with the pictures of its last validation.
  if (ranks::leads() && !std::filesystem::exists(folder_.file("report.html"))) write_report();
  progress_->finish(std::isfinite(result_.loss) ? fmt::format("loss {:.4f}", result_.loss) : "");
  result_.iterations = iteration_;
  result_.steps = iteration_ - first;
  result_.seconds = watch_.seconds();
  return result_;
}

std::string Trainer::standing() const {
  return fmt::format("stopped in iteration {} of {}; {}", std::min(iteration_ + 1, iterations_), iterations_,
                     result_.checkpoint.empty()
                         ? "no checkpoint was written before"
                         : fmt::format("{} is whole, and TRAIN.resume auto goes on from it", result_.checkpoint));
}

/// Puts the labels of a round in place. As a validation, it asks the averaged weights, where there are such.
void Trainer::begin_round(const LabelRound& round) {
  if (iteration_ != round.first_epoch * iterations_per_epoch_) return labels_.take(round);
  if (ranks::count() > 1 && !ranks::leads()) {
    // The rank that leads makes them, where all can read them.
    labels_.resume(ranks::from_leader(""), result_.checkpoint);
    if (!labels_.hash().empty()) labels_.take(round);
    return;
  }
  try {
    const WithAverage averaged(average_.get());
    const Network network = network_of(*model_, fmt::format("iteration {}", iteration_));
    const std::string made = labels_.make(round, network_predictor(network, label_protocol(config_)));
    if (!made.empty()) progress_->note(made);
    ranks::from_leader(labels_.hash());
  } catch (const Interrupted&) {
    stop_on_signal();
    throw;
  }
}

void Trainer::train_round(const StepObserver& after_step) {
  const LabelRound round = label_round(config_, epoch());
  begin_round(round);
  Loader loader(labels_.dataset(), train_transforms(config_),
                {.batch_size = train_.batch_size,
                 .begin = share_.begin(),
                 .end = share_.end(),
                 .workers = train_.workers > 0 ? train_.workers : 2,
                 .seed = static_cast<uint64_t>(train_.manual_seed),
                 .start_epoch = iteration_ / iterations_per_epoch_,
                 .start_iteration = iteration_ % iterations_per_epoch_,
                 .end_epoch = round.end_epoch});
  while (iteration_ < round.end_epoch * iterations_per_epoch_) {
    const Stopwatch step_watch;
    const double rate = schedule_.rate(iteration_);
    const int64_t this_epoch = epoch();
    result_.loss = step(loader.next(), rate);
    ++times_.steps;
    times_.seconds += step_watch.seconds();
    if (after_step) after_step(iteration_, result_.loss);
    progress_->update(iteration_, fmt::format("loss {:.4f}", result_.loss));
    if (iteration_ % train_.print_freq == 0 || at_epoch_end()) {
      const StepMeans means = means_of(sums_, times_, train_.batch_size);
      sums_ = {};
      times_ = {};
      record([&] {
        log_->write_steps(iteration_, this_epoch + 1, rate, means, run_seconds());
        if (tensorboard_) tensorboard_->write_steps(iteration_, rate, means);
      });
    }
    if (at_epoch_end() && (epoch() % train_.save_freq == 0 || iteration_ == iterations_)) {
      save();
      // With validation the page is written after each; another without its pictures would not replace it.
      if (!train_.evaluate) write_report();
    }
    stop_on_signal();
    validate_if_due();
  }
}

}  // namespace

TrainResult train(const Config& config, const StepObserver& after_step) {
  Trainer trainer(config);
  try {
    return trainer.run(after_step);
  } catch (const ranks::NoAnswer& error) {
    throw ranks::NoAnswer(fmt::format("{}; {}", error.what(), trainer.standing()), error.first());
  }
}

}  // namespace giza::train
