// The same steps under two settings, held against each other bit by bit: which op is the first whose numbers differ?
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/weights/infer.h"
#include "tensor/ops/conv2d.h"
#include "tensor/shape.h"
#include "train/config/config.h"

namespace giza::train {

/// How something is computed, on which its bits should not depend (threads, SIMD targets that fuse), or may (the
/// others).
struct ComputeSetting {
  int threads = 1;
  std::string isa = "auto";
  ConvEngine conv = {};
};

/// The steps to run: those of make_rehearsal (train/cost/rehearsal.h).
struct BisectedSteps {
  Config config;
  Shape input;  ///< of a forward pass, [N,H,W,3]
  bool training = false;
  int count = 1;
  std::string weights = {};  ///< a file whose network takes the configured one's place; empty: none
};

/// Something that the steps make.
struct StepOutput {
  std::string stage;  ///< "initial weights", "forward", "backward" or "update"
  std::string op;     ///< "conv2d"; empty for weights
  std::string layer;  ///< its path, or the name of a weight; empty for an op without one
  int input = -1;     ///< of a gradient: the op's input that it belongs to
  Shape shape;
  uint64_t hash = 0;  ///< of the numbers' bits

  bool same_place(const StepOutput& other) const;
};

/// How two tensors of one shape differ.
struct OutputDifference {
  int64_t numbers = 0, differing = 0;
  double relative_l2 = 0;          ///< |a - b| / |a|; infinite where that is not a number
  int64_t place = 0;               ///< of the number that differs most, counted from 0, outermost dimension first
  float a_value = 0, b_value = 0;  ///< there
};

struct Bisection {
  int64_t same_outputs = 0;         ///< that A and B made alike, before the first that differs
  uint64_t hash = 0;                ///< of all that A made
  std::optional<StepOutput> first;  ///< A's first that differs (B's where A made nothing more); absent if none does
  std::optional<StepOutput> other;  ///< B's in its place; absent where one of them made nothing more
  std::optional<OutputDifference> difference;  ///< where first and other are the same op's
  /// Settings ("A", "B") whose own bits changed when the steps were run again up to there.
  std::vector<std::string> unsteady;

  bool same() const { return !first; }
};

/// Runs the steps under A, then under B, and where they part, both once more up to that op. Afterwards threads and SIMD
/// target are as before. Throws Refusal for what make_rehearsal refuses, and for an unknown SIMD target.
Bisection bisect(const BisectedSteps& steps, const ComputeSetting& a, const ComputeSetting& b,
                 models::FileNotes* told = nullptr);

}  // namespace giza::train
