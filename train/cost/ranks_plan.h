// From a configuration to what many ranks take for it: dry runs of a rank's part, timed kernels, and the network.
#pragma once

#include <vector>

#include "train/config/config.h"
#include "train/cost/many_ranks.h"
#include "train/cost/plan.h"

namespace giza::train {

/// What is known of one machine.
struct OneMachine {
  const Config& config;
  int threads;
  int64_t process;  ///< bytes of memory beside tensors, pictures and files
  const SpeedModel& speed;
  double outside_s;  ///< of a step, between its kernels
  double sample_s;   ///< processor time of a training sample
  const TrainingPlan& training;
  PictureSize validated;  ///< the largest picture of a validation; its width is 0 without one
  std::vector<PictureGroup> validation, test;
  double judge_validation_s, judge_test_s;  ///< a picture's reading, judging and writing
  const Pictures &validation_pictures, &test_pictures;
};

/// An iteration, whose samples other threads make meanwhile: they have cores of their own, if there are that many; else
/// all share what there is. While the rank waits for others (exchanges_s), its cores are free.
double iteration_seconds(const Config& config, int threads, double work_s, double exchanges_s, double data_s);

/// Of those numbers of ranks, ascending, that the batch is large enough for; one that is asked for alone is refused.
/// None of them is a row for less than two.
RanksPlan start_ranks_plan(const Config& config, const std::vector<int>& ranks, const Interconnect& network);
/// Fills in a row that has its number of ranks.
void plan_row(const OneMachine& one, const Interconnect& network, RanksRow* row);

}  // namespace giza::train
