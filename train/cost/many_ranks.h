// What a training and an evaluation take that many ranks share (tensor/ranks.h): the work of one, and their exchanges.
// docs/plan.md tells how it is predicted.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tensor/profile/profile.h"
#include "train/cost/interconnect.h"
#include "train/cost/memory.h"

namespace giza::train {

/// The rank with the most pictures of a batch, and of such the first with the most pieces (tensor/ops/batch_share.h):
/// the others wait for it.
struct FullestRank {
  int rank = 0;
  int64_t pictures = 0, pieces = 0;
  int64_t most_pieces = 0;  ///< of any rank: that one sends the most
};
/// Throws Refusal for fewer pictures than ranks.
FullestRank fullest_rank(int64_t batch, int ranks);

/// Exchanges of one kind, of the busiest rank in an iteration.
struct Exchange {
  int64_t calls = 0, messages = 0;
  double bytes = 0;    ///< that go out; about as many come in
  double seconds = 0;  ///< that it keeps the rank from its work
};

/// An iteration at the fullest rank.
struct RankStep {
  double work_s = 0;       ///< kernels, and what runs between them
  Exchange sums;           ///< of batch norms, losses and gradients of vectors, at each of which all ranks wait
  Exchange gradients;      ///< of weights, which go while the sweep goes on; seconds: what that does not hide
  double gradients_s = 0;  ///< that the network is busy with them
  Exchange weights;        ///< new ones
  Exchange agreements;     ///< whether gradients are finite, whether a signal came, what goes into the log
  double exchanges_s() const { return sums.seconds + gradients.seconds + weights.seconds + agreements.seconds; }
  double step_s() const { return work_s + exchanges_s(); }
};

/// From the events of a step of the fullest rank, and the seconds of its kernels on `threads` threads. `print_freq`:
/// iterations for each line of the log.
RankStep step_of_rank(const std::vector<profile::Event>& events,
                      const std::function<double(const profile::Event& kernel)>& seconds, double outside_s,
                      const FullestRank& fullest, int ranks, int threads, const Interconnect& network, int print_freq);

/// Pictures that take equally long to predict.
struct PictureGroup {
  double pictures = 0, seconds = 0;
};
/// Of one of them, in the mean.
double mean_s(const std::vector<PictureGroup>& groups);

/// `count` pictures, shared out in rounds of one a rank; the rank that leads judges them all, `judge_s` each.
struct SharedOut {
  int64_t rounds = 0;
  double slowest_s = 0;   ///< of a full round: of its pictures the one that takes longest, in the mean over rounds
  double exchange_s = 0;  ///< of a full round
  double bytes = 0;       ///< out of a rank in a full round
  double total_s = 0;
};
/// `pixels`: of a picture, each a byte to every other rank.
SharedOut share_out_cost(int64_t count, const std::vector<PictureGroup>& groups, double judge_s, double pixels,
                         int ranks, const Interconnect& network);

/// A number of ranks, planned.
struct RanksRow {
  int ranks = 1;
  FullestRank fullest;
  RankStep step;
  double data_s = 0;                    ///< processor time of this rank's samples
  double idle_network_s = 0;            ///< an iteration, if exchanges took no time
  double iteration_s = 0, total_s = 0;  ///< total 0: unknown
  double speed = 1;                     ///< how often the iteration of one rank takes this long
  MemoryPlan memory;                    ///< of the rank that needs most
  SharedOut test;                       ///< of all pictures; where their number is unknown, of one round
  double test_speed = 1;
  double efficiency() const { return speed / ranks; }
  double test_efficiency() const { return test_speed / ranks; }
  double lost() const { return 1 - idle_network_s / iteration_s; }  ///< share of the iteration
};

struct RanksPlan {
  Interconnect network;
  std::vector<RanksRow> rows;  ///< ascending; empty: only one rank was asked for
  std::vector<int> too_many;   ///< for the batch, so left out
  std::string measured_on;     ///< a rank's step; empty: nothing of it was run
  /// The first row with an efficiency below this; null if there is none.
  const RanksRow* first_below(double efficiency) const;
};

}  // namespace giza::train
