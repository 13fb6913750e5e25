// What a configuration will cost. docs/plan.md tells how it is predicted.
#include "train/cost/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "tensor/base/median.h"
#include "tensor/base/stopwatch.h"
#include "tensor/base/text.h"
#include "tensor/ranks.h"
#include "train/cost/memory.h"
#include "train/cost/ranks_plan.h"

namespace giza::train {
namespace {

using profile::Event;

constexpr double kFileSpeed = 0.25e9;        // bytes a second of a checkpoint: gathered, hashed, written, synced
constexpr int64_t kProcessGrowth = 5 << 20;  // code not touched when planning begins, stacks and small things

/// Passes over tiles and mirrored tiles that a picture takes.
int64_t count_tiles(PictureSize picture, const ProtocolOptions& protocol) {
  int64_t tiles = 0;
  const int base = protocol.base_size > 0 ? protocol.base_size : std::max(picture.width, picture.height);
  for (const double scale : protocol.scales) {
    const PictureSize size =
        scaled_size(picture.width, picture.height, std::max(1, static_cast<int>(std::nearbyint(scale * base))));
    const auto along = [&](int length, int crop) {
      if (crop == 0) return int64_t{1};
      return static_cast<int64_t>(
          tile_starts(std::max(length, crop), crop, static_cast<int>(std::ceil(crop * protocol.stride_rate))).size());
    };
    tiles += along(size.height, protocol.crop_h) * along(size.width, protocol.crop_w) * (protocol.mirror ? 2 : 1);
  }
  return tiles;
}

/// A picture where none is known: a long side of base_size, or the crop's, 4:3.
PictureSize usual_picture(const Config& config) {
  const TestConfig& test = config.test;
  if (test.base_size > 0) return {test.base_size, std::max(1, test.base_size * 3 / 4)};
  return {test.test_w, test.test_h};
}

class Planner {
 public:
  Planner(const Config& config, const PlanOptions& options)
      : config_(config),
        options_(options),
        process_(resident_bytes() + kProcessGrowth),
        speed_(measure_peak()),
        test_speed_(speed_) {}

  Plan make() {
    plan_.ranks = start_ranks_plan(config_, options_.ranks, options_.network);
    plan_.file = config_.file;
    plan_.peak = speed_.peak();
    plan_.threads = options_.threads;
    plan_.quick = options_.quick;
    plan_.limit = options_.memory_bytes > 0 ? MemoryLimit{options_.memory_bytes, "memory given"} : here_;
    plan_.parts = network_cost(config_, options_.threads);

    TrainingPlan& training = plan_.training;
    TestPlan& test = plan_.test;
    const ProtocolOptions protocol = test_protocol(config_);
    training.pictures = survey(config_, Split::train, usual_picture(config_));
    test.pictures = survey(config_, Split::test, usual_picture(config_));
    if (config_.train.evaluate) validation_ = survey(config_, Split::val, usual_picture(config_));
    if (!training.pictures.note.empty()) plan_.notes.push_back("training pictures: " + training.pictures.note);
    if (!validation_.note.empty()) plan_.notes.push_back("validation pictures: " + validation_.note);
    if (!test.pictures.note.empty()) plan_.notes.push_back("test pictures: " + test.pictures.note);
    const Rehearsal step = rehearse_training(config_, options_.threads, validated());
    training.memory = training_memory(config_, step, training.pictures, validated(), process_);
    test.memory = test_memory(config_, rehearse_test(config_, options_.threads, test.pictures.largest, protocol),
                              test.pictures, process_);
    test.protocol = protocol_name(protocol);
    if (protocol.crf) {
      plan_.notes.emplace_back(
          "the CRF's time is not in the test's, because it depends on what the pictures show; its memory is, at the "
          "most");
    }

    if (config_.data.weak_labels == "box_crf") {
      plan_.notes.emplace_back(
          "the time of the CRF that makes labels before the first step is not in the training's, because it depends on "
          "what the pictures show; its memory is, at the most");
    }

    if (options_.measure) run_for_real();
    if (!options_.quick) {
      measure_training();
      if (!plan_.ranks.rows.empty()) measure_rank();
      measure_test();
    }
    data_ = time_training_data(config_);
    if (config_.train.evaluate) {
      validation_data_ = time_test_data(config_, Split::val);
      validation_groups_ = time_groups(validation_, validation_protocol(config_));
      validation_s_ = static_cast<double>(validation_.count) * (mean_s(validation_groups_) + validation_data_.judge_s);
    }
    if (config_.data.weak_labels == "box_update") {
      labels_s_ = static_cast<double>(training.pictures.count) *
                  (mean_s(time_groups(training.pictures, label_protocol(config_))) + data_.decode_s);
    }
    training.time = training_time(config_, step);
    training.iterations_per_epoch =
        training.pictures.count == 0 ? 0 : std::max<int64_t>(1, training.pictures.count / config_.train.batch_size);
    training.measured_share = speed_.empty() ? 0 : speed_.measured_share(step.events);

    const DataTimes files = time_test_data(config_, Split::test);
    test.files_s = files.judge_s + files.masks_s;
    const std::vector<PictureGroup> groups = time_groups(test.pictures, protocol, &test.measured_share);
    test.network_s = mean_s(groups);
    double pictures = 0;
    for (const SizeGroup& group : test.pictures.groups) {
      const auto weight = static_cast<double>(std::max<int64_t>(group.pictures, 1));
      test.tiles += weight * static_cast<double>(count_tiles(group.size, protocol));
      pictures += weight;
    }
    test.tiles /= pictures;
    test.total_s = static_cast<double>(test.pictures.count) * (test.network_s + test.files_s);
    if (plan_.measured.picture_s > 0) {
      plan_.measured.predicted_picture_s = picture_s(config_, plan_.measured.picture, protocol);
    }
    for (RanksRow& row : plan_.ranks.rows) {
      plan_row({config_, options_.threads, process_, speed_, rank_outside_s_, sample_s(config_), training, validated(),
                validation_groups_, groups, validation_data_.judge_s, test.files_s, validation_, test.pictures},
               plan_.ranks.network, &row);
    }
    find_ways();
    return std::move(plan_);
  }

 private:
  /// Before kernels are sampled, which would leave their pages with the process.
  void run_for_real() {
    constexpr int kSteps = 3;
    const auto median_of = [&](const std::function<void()>& work) {
      work();
      std::vector<double> seconds;
      for (int i = 0; i < kSteps; ++i) seconds.push_back(seconds_of(work));
      return median(seconds);
    };
    // What planning itself holds by now does not belong to the run, but for the arena's pages, which the run uses
    // again.
    const int64_t before = resident_bytes() - arena_statistics().high_water;
    const auto run_bytes = [&] { return process_ + peak_resident_bytes() - before; };
    forget_peak();
    if (plan_.test.memory.resident() < here_.bytes) {
      plan_.measured.picture = plan_.test.pictures.largest;
      const TestRehearsal rehearsal(config_);
      plan_.measured.picture_s = median_of([&] { rehearsal.predict(plan_.measured.picture, test_protocol(config_)); });
      plan_.measured.test_bytes = run_bytes();
    } else {
      plan_.notes.emplace_back("testing was not measured: it does not fit into this machine's memory");
    }
    if (plan_.training.memory.resident() < here_.bytes) {
      TrainingRehearsal rehearsal(config_);
      plan_.measured.step_s = median_of([&] { rehearsal.step(); });
      plan_.measured.training_bytes = run_bytes();
    } else {
      plan_.notes.emplace_back("the step was not measured: it does not fit into this machine's memory");
    }
  }

  /// A batch, or if need be a crop, that can be run here in the time that there is.
  void measure_training() {
    Config config = config_;
    TrainConfig& train = config.train;
    const PictureSize sample = largest_sample(train);
    train.train_h = sample.height, train.train_w = sample.width;
    train.epoch_sizes.clear();
    const double budget = training_budget();
    const int fewest = std::min(train.batch_size, 2);
    const auto affordable = [&] {
      const Rehearsal step = rehearse_training(config, options_.threads);
      // Scaling a smaller batch costs more truth than leaving out what repeats itself. The smallest is always run, if
      // it fits.
      return fits(step) && (train.batch_size <= fewest || 3 * rough_sample_seconds(speed_, step.events) < budget);
    };
    while (!affordable()) {
      if (train.batch_size > fewest) {
        train.batch_size = std::max(fewest, (train.batch_size + 1) / 2);
      } else if (std::min(train.train_h, train.train_w) >= 32) {
        train.train_h = (train.train_h / 2 - 1) / 8 * 8 + 1;
        train.train_w = (train.train_w / 2 - 1) / 8 * 8 + 1;
      } else {
        return;  // not even that: the peaks have to do
      }
    }
    TrainingRehearsal rehearsal(config);
    const Timing timing = measure([&] { rehearsal.step(); }, budget, &speed_);
    outside_s_ = rank_outside_s_ = timing.outside_s;
    plan_.training.measured_on = fmt::format("{}batch {} of {}x{}", timing.whole ? "" : "some of each kind at ",
                                             train.batch_size, train.train_h, train.train_w);
  }

  double training_budget() const { return options_.seconds * (plan_.ranks.rows.empty() ? 0.6 : 0.3); }

  /// The part of a batch that a rank has of the most, or fewer pictures, if they can be run here.
  void measure_rank() {
    const int ranks = plan_.ranks.rows.back().ranks;
    for (int64_t pictures = plan_.ranks.rows.back().fullest.pictures;; pictures = (pictures + 1) / 2) {
      Config config = config_;
      if (pictures != plan_.ranks.rows.back().fullest.pictures) {
        config.train.batch_size = static_cast<int>(pictures * ranks);
      }
      const ranks::Imagined many({fullest_rank(config.train.batch_size, ranks).rank, ranks});
      const Rehearsal step = rehearse_training(config, options_.threads);
      const bool affordable = fits(step) && 3 * rough_sample_seconds(speed_, step.events) < training_budget();
      if (affordable || (pictures == 1 && fits(step))) {
        TrainingRehearsal rehearsal(config);
        rank_outside_s_ = measure([&] { rehearsal.step(); }, training_budget(), &speed_).outside_s;
        const PictureSize sample = largest_sample(config.train);
        plan_.ranks.measured_on = fmt::format("{} of {}x{}", counted(pictures, "picture"), sample.height, sample.width);
        return;
      }
      if (pictures == 1) return;
    }
  }

  void measure_test() {
    ProtocolOptions protocol = test_protocol(config_);
    PictureSize picture = plan_.test.pictures.middle();
    protocol.scales = {protocol.scales[protocol.scales.size() / 2]};
    const double budget = options_.seconds * 0.4;
    while (true) {
      const Rehearsal step = rehearse_test(config_, options_.threads, picture, protocol);
      if (fits(step) && 3 * rough_sample_seconds(test_speed_, step.events) < budget) break;
      if (protocol.batch > 1 && count_tiles(picture, protocol) > 1) {
        protocol.batch =
            static_cast<int>(std::min<int64_t>((protocol.batch + 1) / 2, (count_tiles(picture, protocol) + 1) / 2));
      } else if (std::min(picture.width, picture.height) >= 64 && (protocol.crop_h == 0 || !fits(step))) {
        picture = {picture.width / 2, picture.height / 2};
        protocol.base_size /= 2;
        protocol.crop_h /= 2, protocol.crop_w /= 2;
      } else if (fits(step)) {
        break;
      } else {
        return;
      }
    }
    const TestRehearsal rehearsal(config_);
    const Timing timing = measure([&] { rehearsal.predict(picture, protocol); }, budget, &test_speed_);
    plan_.test.measured_on =
        fmt::format("{}a picture of {}x{} at scale {}, {} tiles at a time", timing.whole ? "" : "some of each kind at ",
                    picture.width, picture.height, protocol.scales.front(), protocol.batch);
  }

  double kernels_s(const SpeedModel& speed, const std::vector<Event>& events) const {
    return speed.empty() ? speed.rough_seconds(events) : speed.seconds(events);
  }

  /// Processor time of a training sample.
  double sample_s(const Config& config) const {
    const Pictures& pictures = plan_.training.pictures;
    const double cached = pictures.count > 0 ? static_cast<double>(cache_bytes(config, pictures)) /
                                                   static_cast<double>(decoded_bytes(pictures))
                                             : 0;
    return data_.augment_s + (1 - cached) * data_.decode_s;
  }

  /// The mean over the epochs, whose samples may differ in size; `largest_s` is that of the largest.
  double step_over_epochs(const Config& config, double largest_s) const {
    const std::vector<int>& sizes = config.train.epoch_sizes;
    if (sizes.empty() || config.train.start_epoch >= config.train.epochs) return largest_s;
    std::map<int, double> seconds{{*std::max_element(sizes.begin(), sizes.end()), largest_s}};
    double sum = 0;
    for (int epoch = config.train.start_epoch; epoch < config.train.epochs; ++epoch) {
      const int side = sizes[static_cast<size_t>(epoch) % sizes.size()];
      if (!seconds.contains(side)) {
        Config one = config;
        one.train.epoch_sizes = {side};
        seconds[side] = kernels_s(speed_, rehearse_training(one, options_.threads).events) + outside_s_;
      }
      sum += seconds[side];
    }
    return sum / (config.train.epochs - config.train.start_epoch);
  }

  /// Of the configuration's own step, or a changed one's.
  TrainingTime training_time(const Config& config, const Rehearsal& step) const {
    const TrainConfig& train = config.train;
    TrainingTime time;
    time.largest_s = kernels_s(speed_, step.events) + outside_s_;
    time.step_s = step_over_epochs(config, time.largest_s);
    const int64_t count = plan_.training.pictures.count;
    time.data_s = train.batch_size * sample_s(config);
    time.iteration_s = iteration_seconds(config, options_.threads, time.step_s, 0, time.data_s);
    if (count == 0) return time;
    const int64_t per_epoch = std::max<int64_t>(1, count / train.batch_size);
    time.iterations = per_epoch * (train.epochs - train.start_epoch);
    // After each epoch whose number the frequency divides, and after the last.
    const auto times = [&](int64_t frequency) {
      if (train.start_epoch >= train.epochs) return int64_t{0};
      return (train.epochs - 1) / frequency - train.start_epoch / frequency + 1;
    };
    time.checkpoints = times(train.save_freq);
    time.checkpoint_s = static_cast<double>(plan_.training.memory.files) / kFileSpeed;
    if (train.evaluate) {
      time.validations = times(train.eval_freq);
      time.validation_s = validation_s_;
    }
    if (config.data.weak_labels == "box_update") {
      time.label_rounds = config.data.weak_rounds;
      time.labels_s = labels_s_;
    }
    return time;
  }

  double picture_s(const Config& config, PictureSize picture, const ProtocolOptions& protocol,
                   double* share = nullptr) {
    const Rehearsal test = rehearse_test(config, options_.threads, picture, protocol);
    if (share != nullptr) *share = test_speed_.empty() ? 0 : test_speed_.measured_share(test.events);
    return kernels_s(test_speed_, test.events) + test.serial_s;
  }

  /// How long pictures of each size take; `share`: of it all, how much was measured on just these shapes.
  std::vector<PictureGroup> time_groups(const Pictures& pictures, const ProtocolOptions& protocol,
                                        double* share = nullptr) {
    std::vector<PictureGroup> groups;
    double sum = 0, known = 0;
    for (const SizeGroup& group : pictures.groups) {
      const auto weight = static_cast<double>(std::max<int64_t>(group.pictures, 1));
      double part = 0;
      groups.push_back({weight, picture_s(config_, group.size, protocol, &part)});
      sum += weight * groups.back().seconds;
      known += weight * groups.back().seconds * part;
    }
    if (share != nullptr) *share = sum > 0 ? known / sum : 0;
    return groups;
  }

  int64_t room() const {
    return options_.memory_bytes > 0 ? std::min(here_.bytes, options_.memory_bytes) : here_.bytes;
  }
  bool fits(const Rehearsal& rehearsal) const { return process_ + rehearsal.arena_bytes < room(); }
  PictureSize validated() const { return config_.train.evaluate ? validation_.largest : PictureSize{}; }

  void find_ways() {
    const int64_t limit = plan_.limit.bytes;
    if (plan_.training.memory.peak() > limit) {
      plan_.training_ways = ways_to_train(config_, limit, [&](const Config& changed) {
        const Rehearsal rehearsal = rehearse_training(changed, options_.threads, validated());
        const TrainingTime time = training_time(changed, rehearsal);
        return Way{.peak = training_memory(changed, rehearsal, plan_.training.pictures, validated(), process_).peak(),
                   .iteration_s = time.iteration_s,
                   .total_s = time.total_s()};
      });
    }
    if (plan_.test.memory.peak() > limit) {
      plan_.test_ways = ways_to_test(config_, limit, [&](const Config& changed) {
        const ProtocolOptions protocol = test_protocol(changed);
        const Pictures& pictures = plan_.test.pictures;
        const Rehearsal rehearsal = rehearse_test(changed, options_.threads, pictures.largest, protocol);
        const double seconds = picture_s(changed, pictures.middle(), protocol) + plan_.test.files_s;
        return Way{.peak = test_memory(changed, rehearsal, pictures, process_).peak(),
                   .iteration_s = seconds,
                   .total_s = seconds * static_cast<double>(pictures.count)};
      });
    }
  }

  const Config& config_;
  const PlanOptions& options_;
  const int64_t process_;
  const MemoryLimit here_ = memory_limit();
  SpeedModel speed_, test_speed_;
  double outside_s_ = 0, rank_outside_s_ = 0;
  double validation_s_ = 0, labels_s_ = 0;
  DataTimes data_, validation_data_;
  Pictures validation_;
  std::vector<PictureGroup> validation_groups_;
  Plan plan_;
};

}  // namespace

Plan make_plan(const Config& config, const PlanOptions& options) {
  test_protocol(config).validate();
  return Planner(config, options).make();
}

}  // namespace giza::train
