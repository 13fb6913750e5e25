// Sums over many rows: numbered partial sums in double, added in a fixed tree.
#include "tensor/ops/partials.h"

#include <algorithm>

#include "tensor/ops/batch_share.h"

namespace giza::ops {
namespace {

// Enough blocks of each picture for many cores; few enough that the partial sums stay small beside the data.
constexpr int64_t kMaxTasks = 64, kMinBlocks = 16, kMinTaskFloats = 8192;

int64_t rows_per_block(int64_t picture_rows, int64_t width, int64_t chunks) {
  const int64_t blocks = std::max(kMinBlocks, kMaxTasks / chunks);
  const int64_t least = kMinTaskFloats * chunks / std::max<int64_t>(width, 1);
  const int64_t rows = std::max({(picture_rows + blocks - 1) / blocks, least, int64_t{1}});
  return (rows + 3) / 4 * 4;
}

}  // namespace

Fold::Fold(const Shape& shape, bool dense)
    : channels(std::max<int64_t>(shape.last(), 1)),
      width(shape.last()),
      pixels(1),
      pictures(shape.rank() > 1 ? shape[0] : 1),
      units(pictures > 0 ? shape.rows() / pictures : 0) {
  constexpr int64_t kWide = 64;
  if (dense && kWide / channels > 1 && width > 0) {
    pixels = kWide / channels;
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
      block_rows_(rows_per_block(fold.units / fold.pixels, fold.width, chunks_)),
      blocks_(std::max<int64_t>(1, (fold.units / fold.pixels + block_rows_ - 1) / block_rows_)),
      values_(std::max<int64_t>(1, fold.pictures) * blocks_ * sums * stride_) {
  if (fold.pictures == 0) std::fill_n(values_.data(), block_size(), 0.0);
}

void Partials::reduce() {
  parallel_ranges(block_size(), 1024, [&](int64_t begin, int64_t end) {
    const auto add = [&](int64_t to_block, int64_t from_block) {
      double* to = values_.data() + to_block * block_size();
      const double* from = values_.data() + from_block * block_size();
      for (int64_t i = begin; i < end; ++i) to[i] += from[i];
    };
    for (int64_t first = 0; first < fold_.pictures * blocks_; first += blocks_) {
      add_in_tree(blocks_, [&](int64_t to, int64_t from) { add(first + to, first + from); });
    }
    add_own_pictures(fold_.pictures, [&](int64_t to, int64_t from) { add(to * blocks_, from * blocks_); });
  });
  add_other_pictures(values_.data(), blocks_ * block_size(), block_size());
}

double Partials::sum(int k, int64_t channel) const {
  double total = 0;
  for (int64_t i = channel; i < fold_.width; i += fold_.channels) total += values_[k * stride_ + i];
  return total;
}

}  // namespace giza::ops
