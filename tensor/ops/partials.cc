// Sums over many rows: numbered partial sums in double, added in a fixed tree.
#include "tensor/ops/partials.h"

namespace giza::ops {
namespace {

// Enough blocks for many cores; few enough that the partial sums stay small beside the data.
constexpr int64_t kMaxTasks = 128, kMinBlocks = 32, kMinTaskFloats = 8192;

int64_t rows_per_block(const Fold& fold, int64_t chunks) {
  const int64_t blocks = std::max(kMinBlocks, kMaxTasks / chunks);
  const int64_t least = kMinTaskFloats * chunks / std::max<int64_t>(fold.width, 1);
  const int64_t rows = std::max({(fold.rows + blocks - 1) / blocks, least, int64_t{1}});
  return (rows + 3) / 4 * 4;
}

}  // namespace

Fold::Fold(const Shape& shape, bool dense)
    : channels(std::max<int64_t>(shape.last(), 1)), width(shape.last()), rows(shape.rows()), tail(0) {
  constexpr int64_t kWide = 64;
  const int64_t pixels = kWide / channels;
  if (dense && pixels > 1 && width > 0) {
    tail = rows % pixels * channels;
    rows /= pixels;
    width = pixels * channels;
  }
}

float* Fold::tile(const float* values, float* to) const {
  for (int64_t i = 0; i < width; i += channels) to = std::copy_n(values, channels, to);
  return to;
}

Partials::Partials(const Fold& fold, int sums)
    : fold_(fold),
      sums_(sums),
      stride_(round_up(fold.width)),
      chunks_(std::max<int64_t>(1, (fold.width + kChunk - 1) / kChunk)),
      block_rows_(rows_per_block(fold, chunks_)),
      blocks_(std::max<int64_t>(1, (fold.rows + block_rows_ - 1) / block_rows_)),
      values_(blocks_ * sums * stride_) {}

void Partials::reduce() {
  parallel_ranges(block_size(), 1024, [&](int64_t begin, int64_t end) {
    for (int64_t step = 1; step < blocks_; step *= 2) {
      for (int64_t block = 0; block + step < blocks_; block += 2 * step) {
        double* to = values_.data() + block * block_size();
        const double* from = to + step * block_size();
        for (int64_t i = begin; i < end; ++i) to[i] += from[i];
      }
    }
  });
}

double Partials::sum(int k, int64_t channel) const {
  double total = 0;
  for (int64_t i = channel; i < fold_.width; i += fold_.channels) total += values_[k * stride_ + i];
  return total;
}

}  // namespace giza::ops
