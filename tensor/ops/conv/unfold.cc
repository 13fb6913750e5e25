// Pictures of few channels, unfolded.
#include "tensor/ops/conv/unfold.h"

#include <algorithm>
#include <cstring>

namespace giza::ops {

namespace {

/// Copies `count` runs of kFloats numbers, or of `floats` where that is 0.
template <int64_t kFloats>
void copy_runs(const float* from, int64_t from_step, int64_t floats, float* to, int64_t to_step, int64_t count) {
  for (int64_t i = 0; i < count; ++i, from += from_step, to += to_step) {
    if constexpr (kFloats > 0) {
      std::memcpy(to, from, kFloats * sizeof(float));
    } else {
      std::copy_n(from, floats, to);
    }
  }
}

}  // namespace

Unfolding::Unfolding(const Tensor& x, const Shape& w, int64_t p, int64_t q, const Conv2dOptions& options)
    : x_(x),
      kernel_h_(w[1]),
      kernel_w_(w[2]),
      channels_(w[3]),
      p_(p),
      q_(q),
      options_(options),
      // A kernel row's pixels lie side by side in memory: one copy where it is inside of the picture.
      side_by_side_(options.dilation == 1 && x.row_stride() == channels_) {}

/// What a row of the kernel reads for the output pixels [j_begin, j_end) of a row: `first` is the first pixel of x's
/// row, which is not there where it is not `inside`.
void Unfolding::copy_kernel_row(int64_t first, bool inside, int64_t j_begin, int64_t j_end, float* to) const {
  const int64_t floats = kernel_w_ * channels_, width = x_.dim(2), to_step = stride();
  // The output pixels whose kernel row lies inside from end to end.
  int64_t whole_begin = j_end, whole_end = j_end;
  if (inside && side_by_side_ && width >= kernel_w_) {
    whole_begin = std::clamp((options_.padding + options_.stride - 1) / options_.stride, j_begin, j_end);
    whole_end = std::clamp((width - kernel_w_ + options_.padding) / options_.stride + 1, whole_begin, j_end);
  }
  const auto copy_single = [&](int64_t j) {
    float* at = to + (j - j_begin) * to_step;
    for (int64_t s = 0; s < kernel_w_; ++s) {
      const int64_t column = j * options_.stride - options_.padding + s * options_.dilation;
      const bool there = inside && column >= 0 && column < width;
      at = there ? std::copy_n(x_.row(first + column), channels_, at) : std::fill_n(at, channels_, 0.0F);
    }
  };
  for (int64_t j = j_begin; j < whole_begin; ++j) copy_single(j);
  if (whole_begin < whole_end) {
    const float* from = x_.row(first + whole_begin * options_.stride - options_.padding);
    const int64_t from_step = options_.stride * channels_, count = whole_end - whole_begin;
    float* at = to + (whole_begin - j_begin) * to_step;
    // Of 3x3 and 7x7 kernels on RGB: a few moves, where a call of memmove would take longer than they do.
    switch (floats) {
      case 9:
        copy_runs<9>(from, from_step, floats, at, to_step, count);
        break;
      case 21:
        copy_runs<21>(from, from_step, floats, at, to_step, count);
        break;
      default:
        copy_runs<0>(from, from_step, floats, at, to_step, count);
    }
  }
  for (int64_t j = whole_end; j < j_end; ++j) copy_single(j);
}

void Unfolding::copy(int64_t begin, int64_t end, float* to) const {
  const int64_t height = x_.dim(1);
  while (begin < end) {
    const int64_t row = begin / q_, j = begin % q_, count = std::min(q_ - j, end - begin);
    const int64_t n = row / p_, top = row % p_ * options_.stride - options_.padding;
    for (int64_t r = 0; r < kernel_h_; ++r) {
      const int64_t y = top + r * options_.dilation;
      copy_kernel_row((n * height + y) * x_.dim(2), y >= 0 && y < height, j, j + count, to + r * kernel_w_ * channels_);
    }
    begin += count;
    to += count * stride();
  }
}

}  // namespace giza::ops
