// Mean and variance per channel.
#include "tensor/ops/channel_moments.h"

#include <algorithm>

#include "tensor/kernels/batch_norm.h"
#include "tensor/parallel.h"

namespace giza::ops {

void ChannelMoments::start(int64_t blocks, int64_t channels) {
  blocks_ = blocks;
  channels_ = channels;
  stride_ = (channels + 15) / 16 * 16;
  sums_.emplace(blocks * 2 * stride_);
  shifts_.emplace(blocks * stride_);
  counts_.emplace(blocks);
  std::fill_n(counts_->data(), blocks, int64_t{0});
}

void ChannelMoments::add(int64_t block, const float* pixels, int64_t stride, int64_t rows, int64_t begin, int64_t end,
                         bool first) {
  double* sums = sums_->data() + block * 2 * stride_ + begin;
  float* shift = shifts_->data() + block * stride_ + begin;
  if (first) {
    std::copy_n(pixels + begin, end - begin, shift);
    const int64_t padded = (end == channels_ ? stride_ : end) - begin;
    for (int k = 0; k < 2; ++k) std::fill_n(sums + k * stride_, padded, 0.0);
  }
  kernels::batch_norm_moments({pixels + begin, stride}, shift, rows, end - begin, sums, stride_);
  if (begin == 0) (*counts_)[block] += rows;
}

void ChannelMoments::finish() {
  mean_.assign(static_cast<size_t>(channels_), 0.0);
  variance_.assign(static_cast<size_t>(channels_), 0.0);
  count_ = 0;
  for (int64_t block = 0; block < blocks_; ++block) count_ += (*counts_)[block];
  parallel_ranges(channels_, 64, [&](int64_t begin, int64_t end) {
    // "Updating formulae and a pairwise algorithm for computing sample variances", Chan, Golub and LeVeque, 1979.
    double n = 0;
    for (int64_t block = 0; block < blocks_; ++block) {
      const auto more = static_cast<double>((*counts_)[block]);
      if (more == 0) continue;
      const double* sums = sums_->data() + block * 2 * stride_;
      const float* shift = shifts_->data() + block * stride_;
      for (int64_t c = begin; c < end; ++c) {
        double& mean = mean_[static_cast<size_t>(c)];
        double& squares = variance_[static_cast<size_t>(c)];
        const double step = sums[c] / more;
        const double delta = static_cast<double>(shift[c]) + step - mean;
        mean += delta * (more / (n + more));
        // A NaN stays: std::max returns its first argument when the comparison is false.
        squares += std::max(sums[stride_ + c] - sums[c] * step, 0.0) + delta * delta * (n * more / (n + more));
      }
      n += more;
    }
    for (int64_t c = begin; c < end; ++c) variance_[static_cast<size_t>(c)] /= std::max(n, 1.0);
  });
  sums_.reset();
  shifts_.reset();
  counts_.reset();
}

}  // namespace giza::ops
