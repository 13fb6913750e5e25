// From a configuration to what many ranks take for it.
#include "train/cost/ranks_plan.h"

#include <algorithm>
#include <thread>

#include "tensor/ranks.h"

namespace giza::train {
namespace {

/// The configuration with the batch that a rank has.
Config with_batch(const Config& config, int64_t pictures) {
  Config part = config;
  part.train.batch_size = static_cast<int>(pictures);
  return part;
}

/// A dry run of one rank's part.
Rehearsal rehearse_rank(const OneMachine& one, int rank, int ranks) {
  const ranks::Imagined many({rank, ranks});
  return rehearse_training(one.config, one.threads, one.validated);
}

MemoryPlan memory_of(const OneMachine& one, const Rehearsal& rehearsal, int64_t pictures, bool leads) {
  MemoryPlan memory =
      training_memory(with_batch(one.config, pictures), rehearsal, one.training.pictures, one.validated, one.process);
  if (!leads) memory.files = 0;  // it writes no checkpoint
  return memory;
}

SharedOut of_pictures(const Pictures& pictures, const std::vector<PictureGroup>& groups, double judge_s, int ranks,
                      const Interconnect& network) {
  return share_out_cost(pictures.count > 0 ? pictures.count : ranks, groups, judge_s, pictures.mean_pixels, ranks,
                        network);
}

double total_s(const OneMachine& one, const RanksRow& row, const Interconnect& network) {
  TrainingTime time = one.training.time;
  if (time.iterations == 0) return 0;
  time.iteration_s = row.iteration_s;
  if (row.ranks > 1) {
    if (time.validations > 0) {
      time.validation_s =
          of_pictures(one.validation_pictures, one.validation, one.judge_validation_s, row.ranks, network).total_s;
    }
    // The rank that leads gets the others' momentum, which is as large as the weights, and writes.
    time.checkpoint_s += row.step.weights.bytes * network.byte_s() + network.latency_s;
  }
  return time.total_s();
}

}  // namespace

double iteration_seconds(const Config& config, int threads, double work_s, double exchanges_s, double data_s) {
  const double cores = std::max(1U, std::thread::hardware_concurrency());
  return std::max({work_s + exchanges_s, data_s / workers_of(config), (work_s * threads + data_s) / cores});
}

RanksPlan start_ranks_plan(const Config& config, const std::vector<int>& ranks, const Interconnect& network) {
  RanksPlan plan;
  plan.network = network;
  if (ranks.empty() || ranks.back() == 1) return plan;
  for (const int count : ranks) {
    if (count > config.train.batch_size && ranks.front() <= config.train.batch_size) {
      plan.too_many.push_back(count);
      continue;
    }
    RanksRow row;
    row.ranks = count;
    row.fullest = fullest_rank(config.train.batch_size, count);
    plan.rows.push_back(row);
  }
  return plan;
}

void plan_row(const OneMachine& one, const Interconnect& network, RanksRow* row) {
  const Config& config = one.config;
  const TrainingTime& alone = one.training.time;
  const int ranks = row->ranks;
  row->test = of_pictures(one.test_pictures, one.test, one.judge_test_s, ranks, network);
  const SharedOut test_alone = of_pictures(one.test_pictures, one.test, one.judge_test_s, 1, network);
  // Where the number of pictures is unknown both have as many as there are ranks.
  row->test_speed = test_alone.total_s / row->test.total_s * (one.test_pictures.count > 0 ? 1 : ranks);
  if (ranks == 1) {
    row->step.work_s = alone.step_s;
    row->data_s = alone.data_s;
    row->idle_network_s = row->iteration_s = alone.iteration_s;
    row->memory = one.training.memory;
    row->total_s = total_s(one, *row, network);
    return;
  }
  const Rehearsal fullest = rehearse_rank(one, row->fullest.rank, ranks);
  row->step = step_of_rank(
      fullest.events, [&](const profile::Event& kernel) { return one.speed.seconds(fullest.events, kernel); },
      one.outside_s, row->fullest, ranks, one.threads, network, config.train.print_freq);
  row->data_s = one.sample_s * static_cast<double>(row->fullest.pictures);
  row->idle_network_s = iteration_seconds(config, one.threads, row->step.work_s, 0, row->data_s);
  row->iteration_s = iteration_seconds(config, one.threads, row->step.work_s, row->step.exchanges_s(), row->data_s);
  row->speed = alone.iteration_s / row->iteration_s;
  row->total_s = total_s(one, *row, network);
  row->memory = memory_of(one, fullest, row->fullest.pictures, row->fullest.rank == 0);
  if (row->fullest.rank != 0) {
    const MemoryPlan leader =
        memory_of(one, rehearse_rank(one, 0, ranks), config.train.batch_size / ranks, /*leads=*/true);
    if (leader.peak() > row->memory.peak()) row->memory = leader;
  }
}

}  // namespace giza::train
