// Mean and variance per channel, gathered by the convolution that makes the numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "tensor/ops/scratch.h"

namespace giza::ops {

class BatchShare;

/// As large as a layer is wide: in the arena, like all that a step asks for again and again.
using ArenaVector = std::vector<double, ArenaAllocator<double>>;

/// Sums of numbered blocks of pixels, added while a block's numbers are still in cache, and merged: the blocks of a
/// picture in their order, then the pictures in a tree. So the bits are the same at any number of threads. Each block
/// counts from its own first pixel, so that no digits are lost where the mean is far from zero.
class ChannelMoments {
 public:
  /// Before the first block. Called by the op that fills it. Block b of picture n has the number n * blocks + b.
  void start(int64_t pictures, int64_t blocks, int64_t channels);
  /// Channels [begin, end) of `rows` pixels, `stride` floats apart, of which the first has its channel 0 at `pixels`.
  /// `first`: nothing of this block and these channels was added before. begin and end are
  /// multiples of the vector, or the ends of all channels.
  void add(int64_t block, const float* pixels, int64_t stride, int64_t rows, int64_t begin, int64_t end, bool first);
  /// After the last block: mean and biased variance of each channel, over the whole batch (tensor/ops/batch_share.h).
  void finish();

  bool ready() const { return !mean_.empty(); }
  int64_t count() const { return count_; }
  const ArenaVector& mean() const { return mean_; }
  const ArenaVector& variance() const { return variance_; }

 private:
  void release();
  void merge_pieces(const BatchShare& share, const int64_t* pixels);

  int64_t pictures_ = 0, blocks_ = 0, channels_ = 0, stride_ = 0, count_ = 0;
  std::optional<Scratch<double>> sums_;     // [block][d and d * d][channel], d = x - shift; then means and squares
  std::optional<Scratch<float>> shifts_;    // [block][channel]
  std::optional<Scratch<int64_t>> counts_;  // [block]
  ArenaVector mean_, variance_;
};

}  // namespace giza::ops
