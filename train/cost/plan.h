// What a configuration will cost: parameters, operations, memory, time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/config/config.h"
#include "train/cost/many_ranks.h"
#include "train/cost/memory.h"
#include "train/cost/network_cost.h"
#include "train/cost/pictures.h"
#include "train/cost/rehearsal.h"
#include "train/cost/speed.h"

namespace giza::train {

struct PlanOptions {
  int threads = 1;
  double seconds = 16;          ///< for measuring, about
  bool quick = false;           ///< no measuring of kernels: the machine's peaks and typical shares of them
  bool measure = false;         ///< run what was predicted, too
  int64_t memory_bytes = 0;     ///< of the machine that is planned for; 0: what this one has free
  std::vector<int> ranks = {};  ///< numbers of ranks to plan for, ascending; of one alone nothing is said
  Interconnect network = {};    ///< between them
};

struct TrainingTime {
  double step_s = 0;       ///< arithmetic of an iteration; the mean over epochs whose samples differ in size
  double largest_s = 0;    ///< that of the largest samples
  double data_s = 0;       ///< processor time that its samples take, on other threads
  double iteration_s = 0;  ///< both, on the cores that there are
  int64_t iterations = 0, validations = 0, checkpoints = 0;
  double validation_s = 0, checkpoint_s = 0;  ///< of one each
  int64_t label_rounds = 0;                   ///< in which the network makes labels (DATA.weak_labels box_update)
  double labels_s = 0;                        ///< of one of them
  double total_s() const {
    return iteration_s * static_cast<double>(iterations) + validation_s * static_cast<double>(validations) +
           checkpoint_s * static_cast<double>(checkpoints) + labels_s * static_cast<double>(label_rounds);
  }
};

struct TrainingPlan {
  Pictures pictures;
  int64_t iterations_per_epoch = 0;  ///< 0: the number of pictures is unknown
  MemoryPlan memory;
  TrainingTime time;
  double measured_share = 0;  ///< of step_s
  std::string measured_on;    ///< "batch 2 of 473x473"; empty: nothing could be run
};

struct TestPlan {
  Pictures pictures;
  std::string protocol;
  MemoryPlan memory;
  double network_s = 0;  ///< a picture, mean over the list: all of its scales and tiles, and bringing them together
  double files_s = 0;    ///< reading, judging and writing it
  double tiles = 0;      ///< passes of the network over a tile or mirrored tile, mean over the list
  double total_s = 0;    ///< 0: the number of pictures is unknown
  double measured_share = 0;  ///< of network_s
  std::string measured_on;    ///< "batch 1 of 713x713"
};

/// What --measure found.
struct Measured {
  double step_s = 0, picture_s = 0;
  int64_t training_bytes = 0, test_bytes = 0;  ///< resident at most, without data and files
  PictureSize picture;
  double predicted_picture_s = 0;
};

/// A change that needs less memory.
struct Way {
  std::string change = {};  ///< KEY VALUE ...
  std::string effect = {};  ///< on the result
  int64_t peak = 0;
  double iteration_s = 0, total_s = 0;
  bool fits = false;
};

struct Plan {
  std::string file;
  MachinePeak peak;
  int threads = 1;
  MemoryLimit limit;
  std::vector<PartCost> parts;
  TrainingPlan training;
  TestPlan test;
  std::vector<Way> training_ways, test_ways;  ///< where it does not fit; the best first
  bool quick = false;
  Measured measured;
  RanksPlan ranks;
  std::vector<std::string> notes;
};

/// Throws Refusal for a configuration that no network fits.
Plan make_plan(const Config& config, const PlanOptions& options);

/// A plan as text for a terminal of 120 columns.
std::string plan_table(const Plan& plan, const Config& config);
/// The same as JSON: {config, network, classes, threads, peak, memory_limit_gb, parameters,
///  parts: [{name, parameters, train_macs, test_macs}],
///  train: {batch, crop, recompute, epochs, pictures, iterations_per_epoch,
///          memory: {process_gb, tensors_gb, data_gb, files_gb, peak_gb},
///          fits, step_s, data_s, iteration_s, iterations, validations, validation_s, checkpoints, checkpoint_s,
///          label_rounds, labels_s, total_s, measured_on, measured_share},
///  test: {protocol, pictures, picture, tiles_per_picture, memory, fits, network_s, files_s, total_s, measured_on,
/// measured_share}, train_ways, test_ways: [{change, effect, peak_gb, iteration_s, total_s, fits}], measured: {step_s,
/// train_gb, picture, picture_s, predicted_picture_s, test_gb}, notes, ranks: {network: {bytes_per_s, latency_s},
/// measured_on, too_many, below_90_percent, rows: [
///    {ranks, pictures, pieces, iteration_s, total_s, work_s, data_s, lost, speed, efficiency, memory, fits,
///     sums: {calls, messages, bytes, seconds}, gradients: {..., network_s}, weights, agreements,
///     test: {rounds, slowest_s, exchange_s, bytes, total_s, speed, efficiency}}]}}
/// A figure that is unknown is null; `measured` is there with --measure only, `ranks` where there are several.
std::string plan_json(const Plan& plan, const Config& config);

/// Changes to a configuration after which training fits into `limit` bytes, or comes nearest; those that change the
/// result least and cost the least time first. `judge` gives memory and time of a changed configuration.
using Judge = std::function<Way(const Config& config)>;
std::vector<Way> ways_to_train(const Config& config, int64_t limit, const Judge& judge);
/// The same for testing.
std::vector<Way> ways_to_test(const Config& config, int64_t limit, const Judge& judge);

}  // namespace giza::train
