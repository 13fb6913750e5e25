// What the ranks of a run (tensor/ranks.h) do together, beside the arithmetic: agree, share out pictures, start alike.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "layers/module.h"
#include "train/optim/weight_average.h"

namespace giza::train {

/// Something that has to be the same at all ranks.
struct Fact {
  std::string what, value;
  /// Says how rank 0's value, the first, and another one differ; without it short values are shown.
  std::function<std::string(const std::string&, const std::string&)> difference = {};
};
/// Compares the version, what SIMD rounds like, and these, which are asked for where there are several ranks. Throws
/// Refusal, at all ranks, that names the ranks that differ, and in what.
void check_ranks_agree(const std::function<std::vector<Fact>()>& facts_of_rank);

/// The signal that arrived at any rank, as pending_signal() of one; 0 without.
int signal_anywhere();

/// Several texts as one, for sending; and back.
std::string packed(std::initializer_list<std::string_view> parts);
std::vector<std::string> unpacked(std::string_view text);

/// Calls work(i), i in [0, count), each at one rank, and hands what they return to collect(i, result) at the rank that
/// leads, in order. Of one rank: one after the other. Returns how many were done: fewer than `count` where a signal
/// came.
int64_t share_out(int64_t count, const std::function<std::string(int64_t)>& work,
                  const std::function<void(int64_t, std::string)>& collect);

/// Gives all ranks the weights, running statistics and averages of the rank that leads.
void start_alike(const layers::Module& model, const WeightAverage* average);

}  // namespace giza::train
