// A contest of convolutions: every algorithm and backend on one shape, timed side by side and held to double precision.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tensor/ops/conv2d.h"
#include "tensor/profile/conv_spec.h"

namespace giza::profile {

struct ConvTrialOptions {
  int runs = 0;              ///< timed rounds; 0: what fits into about three seconds a pass, from 3 to 25
  uint64_t seed = 0;         ///< of the operands, which are N(0, 1)
  double oracle_macs = 2e8;  ///< multiply-adds spent on the oracle in a pass
};

/// One way of computing a pass.
struct ConvResult {
  std::string name;      ///< "winograd4", "onednn"
  std::string chosen;    ///< "auto" or "fast" where that setting chooses it, else empty
  bool foreign = false;  ///< a library's
  std::string failed;    ///< what went wrong, empty if nothing did; the rest is then 0
  double median_s = 0, best_s = 0;
  double executed_flops = 0;
  double error = 0;  ///< relative L2 distance to the oracle, over the elements that it computed
  double bound = 0;  ///< what the error may be: 1e-6 max(1, sqrt(K) / 64) for sums of K products, 5e-6 for Winograd
  bool within() const { return failed.empty() && error <= bound; }
};

struct ConvPassResult {
  ConvPass pass = ConvPass::forward;
  int64_t elements = 0, checked = 0;  ///< of the result, and those the oracle computed
  int rounds = 0;
  std::vector<ConvResult> results;
  /// Index of the fastest whose error is within its bound; -1 if there is none.
  int winner() const;
};

/// Each candidate runs once to warm up, and that result is held against sums in double of elements spread over the
/// whole result: all of them, or as many as options.oracle_macs allow. Then candidates take turns, so that a slow
/// moment of the machine meets all of them.
ConvPassResult run_conv_trial(const ConvSpec& spec, ConvPass pass, const ConvTrialOptions& options);

}  // namespace giza::profile
