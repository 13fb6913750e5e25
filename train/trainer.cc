// The training loop.
#include "train/trainer.h"

#include <fmt/ranges.h>

#include <cmath>
#include <filesystem>
#include <memory>
#include <utility>

#include "autograd/watching.h"
#include "tensor/base/check.h"
#include "tensor/ranks.h"
#include "train/detail/training_run.h"
#include "train/report/run_report.h"
#include "train/signals.h"
#include "train/together.h"

namespace giza::train {

using autograd::Variable;

models::ParserLoss TrainingRun::forward(const Batch& batch) {
  const layers::Context context{.training = true,
                                .seed = static_cast<uint64_t>(train_.manual_seed),
                                .iteration = static_cast<uint32_t>(iteration_),
                                .recompute = train_.recompute};
  const models::ParserOutput output =
      refusing(config_, [&] { return model_->forward(Variable(batch.images), context); });
  return model_->loss(output, batch.labels, loss_options_, train_.aux_weight);
}

/// One update. Returns the loss.
double TrainingRun::step(const Batch& batch, double learning_rate) {
  const ops::Sharing sharing(share_);
  const auto stop = [&](const std::string& what, const std::vector<std::string>& samples, bool op_known = true) {
    throw Diverged(
        fmt::format("iteration {}: {}; nothing was updated or saved since the last checkpoint; samples: {}; {}",
                    iteration_ + 1, what, fmt::join(samples, ", "),
                    iteration_ == 0 && !train_.weight.empty()
                        ? "no step was made yet, so the weights of TRAIN.weight are not sound"
                        : "lower TRAIN.base_lr or lengthen TRAIN.warmup_iters"),
        op_known);
  };
  // Where all ranks stop, those of the whole batch.
  const auto all_samples = [&] {
    std::string own;
    for (const std::string& name : batch.names) own += packed({name});
    std::vector<std::string> all;
    for (const std::string& names : ranks::gather(own)) {
      for (std::string& name : unpacked(names)) all.push_back(std::move(name));
    }
    return all;
  };
  optimizer_->zero_grad();
  models::ParserLoss losses;
  try {
    losses = forward(batch);
    if (!std::isfinite(losses.total.value().item())) stop("the loss is NaN or infinite", all_samples());
    // What is normalised by an infinite variance is finite: no op and no loss shows it.
    if (const std::string statistics = model_->first_non_finite_buffer(); !statistics.empty()) {
      stop(statistics + " became NaN or infinite: the activations are too large", all_samples(), /*op_known=*/false);
    }
    autograd::backward(losses.total);
    ops::finish_gradients();
  } catch (const autograd::NonFinite& error) {
    stop(error.what(), batch.names);
  }
  const std::string parameter = optimizer_->first_non_finite_gradient();
  if (!parameter.empty()) stop("the gradient of " + parameter + " is NaN or infinite", all_samples());
  const double loss = static_cast<double>(losses.total.value().item());
  optimizer_->step(learning_rate);
  ++iteration_;
  if (average_) average_->update(iteration_);
  ++sums_.steps;
  sums_.loss += loss;
  sums_.main_loss += losses.main;
  sums_.aux_loss += losses.aux;
  // Of its own pictures, until now.
  const std::vector<double> counts =
      ranks::sums({static_cast<double>(losses.valid), static_cast<double>(losses.right)});
  sums_.valid += static_cast<int64_t>(counts[0]);
  sums_.right += static_cast<int64_t>(counts[1]);
  return loss;
}

void TrainingRun::stop_on_signal() {
  const int signal = signal_anywhere();
  if (signal == 0) return;
  save();
  throw Interrupted(
      signal, fmt::format("stopped by a signal at iteration {} of {}; saved {}; TRAIN.resume auto goes on", iteration_,
                          iterations_, result_.checkpoint));
}

/// Also called where a resumed run begins, in case the last one was stopped before its validation.
void TrainingRun::validate_if_due() {
  const bool last = iteration_ == iterations_;
  if (!train_.evaluate || !at_epoch_end() || (epoch() % train_.eval_freq != 0 && !last)) return;
  const bool done = log_ && log_->last_validation() >= iteration_;
  if (!ranks::from_leader(done ? "done" : "").empty()) return;
  const ProtocolOptions protocol = validation_protocol(config_);
  EvaluateOptions options;
  options.protocol = protocol_name(protocol);
  options.names = class_names(config_);
  options.examples = kReportExamples;
  if (tensorboard_) options.watch = tensorboard_->watch(*validation_set_);
  const Predictor predictor = network_predictor(network_of(*model_, fmt::format("iteration {}", iteration_)), protocol);
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
void TrainingRun::write_report() try {
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

TrainResult TrainingRun::run(const StepObserver& after_step) {
  const SignalGuard guard;
  start();
  progress_ = std::make_unique<Progress>("train", iterations_, "it", iteration_);
  for (const std::string& note : notes_) progress_->note(note);
  for (const std::string& warning : warnings_) progress_->warn(warning);
  validate_if_due();
  const int64_t first = iteration_;
  while (iteration_ < iterations_) train_round(after_step);
  // Where nothing was left to do, the page of the run is still there, with the pictures of its last validation.
  std::error_code error;
  if (ranks::leads() && !std::filesystem::exists(folder_.file("report.html"), error)) write_report();
  progress_->finish(std::isfinite(result_.loss) ? fmt::format("loss {:.4f}", result_.loss) : "");
  result_.iterations = iteration_;
  result_.steps = iteration_ - first;
  result_.seconds = watch_.seconds();
  return result_;
}

/// Puts the labels of a round in place. As a validation, it asks the averaged weights, where there are such.
void TrainingRun::begin_round(const LabelRound& round) {
  if (iteration_ != round.first_epoch * iterations_per_epoch_) return labels_.take(round);
  if (!ranks::leads()) {
    // The rank that leads makes them, where all can read them.
    const std::vector<std::string> made = unpacked(ranks::from_leader(""));
    if (made.empty()) return stop_on_signal();
    labels_.resume(made[0], result_.checkpoint);
    if (!made[0].empty()) labels_.take(round);
    return;
  }
  try {
    const WithAverage averaged(average_.get());
    const Network network = network_of(*model_, fmt::format("iteration {}", iteration_));
    const std::string made = labels_.make(round, network_predictor(network, label_protocol(config_)));
    if (!made.empty()) progress_->note(made);
    ranks::from_leader(packed({labels_.hash()}));
  } catch (const Interrupted&) {
    ranks::from_leader("");
    stop_on_signal();
    throw;
  }
}

void TrainingRun::train_round(const StepObserver& after_step) {
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
    std::string figures = fmt::format("loss {:.4f}", result_.loss);
    if (ranks::count() > 1) {
      figures +=
          fmt::format("  {:.1f} images/s", static_cast<double>(train_.batch_size * times_.steps) / times_.seconds);
    }
    progress_->update(iteration_, figures);
    if (iteration_ % train_.print_freq == 0 || at_epoch_end()) {
      const StepMeans means = means_of(sums_, times_, train_.batch_size);
      sums_ = {};
      times_ = {};
      result_.loss = means.loss;  // as a run that finds nothing left to do reads it from the log
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

TrainResult train(const Config& config, const StepObserver& after_step) {
  TrainingRun training(config);
  try {
    return training.run(after_step);
  } catch (const ranks::NoAnswer& error) {
    throw ranks::NoAnswer(fmt::format("{}; {}", error.what(), training.standing()), error.first());
  }
}

}  // namespace giza::train
