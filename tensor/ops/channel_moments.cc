// Mean and variance per channel.
#include "tensor/ops/channel_moments.h"

#include <algorithm>

#include "tensor/kernels/batch_norm.h"
#include "tensor/ops/batch_share.h"
#include "tensor/parallel.h"

namespace giza::ops {

void ChannelMoments::start(int64_t pictures, int64_t picture_blocks, int64_t channels) {
  pictures_ = pictures;
  blocks_ = picture_blocks;
  channels_ = channels;
  stride_ = (channels + 15) / 16 * 16;
  const int64_t blocks = pictures * picture_blocks;
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

namespace {

/// Means and sums of squares about them of two sets of pixels: "Updating formulae and a pairwise algorithm for
/// computing sample variances", Chan, Golub and LeVeque, 1979.
struct Merge {
  int64_t to, from;
  double left, right;  // pixels of both

  /// Channels [begin, end) of means, which have the squares `stride` behind them.
  void run(double* mean, const double* other, int64_t stride, int64_t begin, int64_t end) const {
    const double share = right / (left + right), between = left * share;
    for (int64_t c = begin; c < end; ++c) {
      const double delta = other[c] - mean[c];
      mean[c] += delta * share;
      mean[stride + c] += other[stride + c] + delta * delta * between;
    }
  }
};

}  // namespace

void ChannelMoments::finish() {
  // Which blocks are merged, in which order: the same for all channels.
  const int64_t blocks = pictures_ * blocks_;
  const Scratch<Merge> merges(std::max<int64_t>(blocks, 1));
  int64_t merge_count = 0;
  const Scratch<int64_t> pixels(std::max<int64_t>(blocks, 1));
  std::copy_n(counts_->data(), blocks, pixels.data());
  const auto merge = [&](int64_t to, int64_t from) {
    if (pixels[from] == 0) return;
    merges[merge_count++] = {to, from, static_cast<double>(pixels[to]), static_cast<double>(pixels[from])};
    pixels[to] += pixels[from];
  };
  for (int64_t block = 0; block < blocks; ++block) {
    if (block % blocks_ != 0) merge(block / blocks_ * blocks_, block);
  }
  add_own_pictures(pictures_, [&](int64_t to, int64_t from) { merge(to * blocks_, from * blocks_); });

  parallel_ranges(channels_, 64, [&](int64_t begin, int64_t end) {
    for (int64_t block = 0; block < blocks; ++block) {
      if ((*counts_)[block] == 0) continue;
      double* mean = sums_->data() + block * 2 * stride_;
      double* squares = mean + stride_;
      const float* shift = shifts_->data() + block * stride_;
      for (int64_t c = begin; c < end; ++c) {
        const double sum = mean[c], step = sum / static_cast<double>((*counts_)[block]);
        mean[c] = static_cast<double>(shift[c]) + step;
        // A NaN stays: std::max returns its first argument when the comparison is false.
        squares[c] = std::max(squares[c] - sum * step, 0.0);
      }
    }
    for (const Merge *each = merges.data(), *last = each + merge_count; each != last; ++each) {
      each->run(sums_->data() + each->to * 2 * stride_, sums_->data() + each->from * 2 * stride_, stride_, begin, end);
    }
  });
  count_ = blocks > 0 ? pixels[0] : 0;
  if (const BatchShare* share = BatchShare::current()) merge_pieces(*share, pixels.data());

  mean_.assign(static_cast<size_t>(channels_), 0.0);
  variance_.assign(static_cast<size_t>(channels_), 0.0);
  if (count_ > 0) {
    for (int64_t c = 0; c < channels_; ++c) {
      mean_[static_cast<size_t>(c)] = (*sums_)[c];
      variance_[static_cast<size_t>(c)] = (*sums_)[stride_ + c] / static_cast<double>(count_);
    }
  }
  release();
}

void ChannelMoments::merge_pieces(const BatchShare& share, const int64_t* pixels) {
  // Of each piece: means, squares and pixels.
  const int64_t numbers = 2 * stride_ + 1;
  const Scratch<double> own(std::ssize(share.own_pieces()) * numbers);
  double* to = own.data();
  for (const BatchPiece& piece : share.own_pieces()) {
    const int64_t block = (piece.begin - share.begin()) * blocks_;
    to = std::copy_n(sums_->data() + block * 2 * stride_, 2 * stride_, to);
    *to++ = static_cast<double>(pixels[block]);
  }
  const Scratch<double> all = gather_pieces(share, own.data(), numbers);
  share.add_pieces([&](int64_t left, int64_t right) {
    double *mean = all.data() + left * numbers, *other = all.data() + right * numbers;
    const Merge merge{left, right, mean[2 * stride_], other[2 * stride_]};
    if (merge.right == 0) return;
    merge.run(mean, other, stride_, 0, channels_);
    mean[2 * stride_] += merge.right;
  });
  std::copy_n(all.data(), 2 * stride_, sums_->data());
  count_ = static_cast<int64_t>(all[2 * stride_]);
}

void ChannelMoments::release() {
  sums_.reset();
  shifts_.reset();
  counts_.reset();
}

}  // namespace giza::ops
