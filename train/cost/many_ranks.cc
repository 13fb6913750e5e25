// What a training and an evaluation take that many ranks share.
#include "train/cost/many_ranks.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "tensor/ops/batch_share.h"
#include "tensor/ranks.h"

namespace giza::train {
namespace {

using profile::Event;

}  // namespace

FullestRank fullest_rank(int64_t batch, int ranks) {
  const ranks::Imagined many({0, ranks});
  const ops::BatchShare share(batch);
  std::vector<FullestRank> all(static_cast<size_t>(ranks));
  for (const ops::BatchPiece& piece : share.pieces()) {
    FullestRank& rank = all[static_cast<size_t>(piece.rank)];
    rank.rank = piece.rank;
    rank.pictures += piece.end - piece.begin;
    ++rank.pieces;
  }
  FullestRank fullest;
  int64_t most_pieces = 0;
  for (const FullestRank& each : all) {
    most_pieces = std::max(most_pieces, each.pieces);
    if (std::pair(each.pictures, each.pieces) > std::pair(fullest.pictures, fullest.pieces)) fullest = each;
  }
  fullest.most_pieces = most_pieces;
  return fullest;
}

// The step is gone through event by event.
//   A sum (gather_pieces) stops the rank until all have it: Interconnect::exchange_s.
//   A gradient (start_gradient) is held back until the next sum was exchanged or the next gradient comes, as
//   batch_share.cc does it. Then it is in a queue, which moves on while the rank is at work, and costs one of its
//   threads the time to copy it: the others take work over from that one. A sum passes between the pieces of what is
//   queued, but has to wait for those that the receiver has asked for already. finish_gradients waits until the queue
//   is empty, and for the latency of the last message. Weights (spread_weights) stop the rank like a sum. A rank sends
//   each of its pieces. Where another one has more pieces, everyone waits for that one's.
RankStep step_of_rank(const std::vector<Event>& events, const std::function<double(const Event& kernel)>& seconds,
                      double outside_s, const FullestRank& fullest, int ranks, int threads, const Interconnect& network,
                      int print_freq) {
  RankStep step;
  step.work_s = outside_s;
  double held = 0, queue = 0;  // bytes of the newest gradient; bytes on their way
  bool under_way = false;
  const double busiest = static_cast<double>(fullest.most_pieces) / static_cast<double>(fullest.pieces);
  const auto count = [](Exchange* kind, int64_t messages, double bytes, double stopped_s) {
    ++kind->calls;
    kind->messages += messages;
    kind->bytes += bytes;
    kind->seconds += stopped_s;
  };
  for (const Event& event : events) {
    if (event.kind != Event::Kind::kernel) continue;
    const profile::Work& work = event.work;
    if (work.messages < 0) {
      const double kernel_s = seconds(event);
      step.work_s += kernel_s;
      const double moved = std::min(queue, kernel_s / network.byte_s());
      queue -= moved;
      step.gradients.seconds += moved * Interconnect::copy_s() / threads;
    } else if (work.kernel == "start_gradient") {
      const auto messages = std::llround(static_cast<double>(work.messages) * busiest);
      const double bytes = work.bytes * busiest;
      count(&step.gradients, messages, bytes, static_cast<double>(messages) * Interconnect::message_s());
      step.gradients_s += bytes * network.byte_s();
      queue += std::exchange(held, bytes);
      under_way = true;
    } else if (work.kernel == "finish_gradients") {
      if (!under_way) continue;
      step.gradients.seconds += (queue + held) * network.byte_s() + network.latency_s;
      held = queue = 0;
      under_way = false;
    } else if (work.kernel == "spread_weights") {
      count(&step.weights, work.messages, work.bytes, network.exchange_s(work.messages, work.bytes));
    } else {
      const double before = std::min(queue, (ranks - 1) * Interconnect::kAhead);
      step.gradients.seconds += before * network.byte_s();
      queue += std::exchange(held, 0.0) - before;
      count(&step.sums, work.messages, work.bytes * busiest, network.exchange_s(work.messages, work.bytes * busiest));
    }
  }
  // Of an iteration (train/trainer.cc): two agreements, the counts of valid and right pixels, and with each line of the
  // log a text of the rank that leads, sent as its length and itself.
  const double counts_bytes = 2 * sizeof(double) * (ranks - 1);
  count(&step.agreements, ranks - 1, counts_bytes, network.exchange_s(ranks - 1, counts_bytes));
  step.agreements.calls += 2;
  step.agreements.seconds += 2 * network.agree_s(ranks) + 2 * network.broadcast_s(ranks) / print_freq;
  return step;
}

double mean_s(const std::vector<PictureGroup>& groups) {
  double sum = 0, pictures = 0;
  for (const PictureGroup& group : groups) {
    sum += group.pictures * group.seconds;
    pictures += group.pictures;
  }
  return sum / pictures;
}

namespace {

/// Of `draws` pictures, drawn from the groups at random, the seconds of the one that takes longest, in the mean: the
/// sum over groups, from the quickest on, of their seconds times the probability that the slowest is of that group.
double expected_slowest(std::vector<PictureGroup> groups, double draws) {
  std::sort(groups.begin(), groups.end(),
            [](const PictureGroup& a, const PictureGroup& b) { return a.seconds < b.seconds; });
  double all = 0, seen = 0, mean = 0, below = 0;
  for (const PictureGroup& group : groups) all += group.pictures;
  for (const PictureGroup& group : groups) {
    seen += group.pictures;
    const double up_to = std::pow(seen / all, draws);
    mean += group.seconds * (up_to - below);
    below = up_to;
  }
  return mean;
}

}  // namespace

// share_out (train/together.cc): all agree that no signal came, each predicts a picture, all get the sizes of the label
// maps and then the maps; then the rank that leads judges them, while the others begin the next round and wait there.
SharedOut share_out_cost(int64_t count, const std::vector<PictureGroup>& groups, double judge_s, double pixels,
                         int ranks, const Interconnect& network) {
  SharedOut cost;
  const int64_t full = count / ranks, rest = count % ranks;
  cost.rounds = full + (rest > 0 ? 1 : 0);
  cost.slowest_s = expected_slowest(groups, ranks);
  if (ranks > 1) {
    const int others = ranks - 1;
    cost.bytes = others * pixels;
    cost.exchange_s =
        network.agree_s(ranks) + network.exchange_s(others, 4.0 * others) + network.exchange_s(others, cost.bytes);
  }
  cost.total_s = static_cast<double>(full) * (cost.slowest_s + cost.exchange_s) + static_cast<double>(count) * judge_s;
  if (rest > 0) cost.total_s += expected_slowest(groups, static_cast<double>(rest)) + cost.exchange_s;
  return cost;
}

const RanksRow* RanksPlan::first_below(double efficiency) const {
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const RanksRow& row) { return row.efficiency() < efficiency; });
  return found == rows.end() ? nullptr : &*found;
}

}  // namespace giza::train
