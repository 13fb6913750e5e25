// Tensor: views, copies.
#include "tensor/tensor.h"

#include <algorithm>

#include "tensor/base/check.h"
#include "tensor/kernels/elementwise.h"
#include "tensor/parallel.h"

namespace giza {
namespace {

// Floats of one task of a copy: large enough to be worth handing out.
constexpr int64_t kTaskFloats = 65536;

}  // namespace

int64_t padded_stride(int64_t channels) {
  if (channels < 16) return std::max<int64_t>(channels, 1);
  const int64_t stride = (channels + 15) / 16 * 16;
  return stride >= 256 && stride % 128 == 0 ? stride + 16 : stride;
}

Tensor Tensor::empty(const Shape& shape) {
  return {Storage::allocate(static_cast<size_t>(shape.numel())), 0, shape, std::max<int64_t>(shape.last(), 1)};
}

Tensor Tensor::zeros(const Shape& shape) { return full(shape, 0.0F); }

Tensor Tensor::full(const Shape& shape, float value) {
  Tensor result = empty(shape);
  result.fill(value);
  return result;
}

Tensor Tensor::from(const Shape& shape, std::span<const float> values) {
  check(static_cast<int64_t>(values.size()) == shape.numel(), "tensor: {} values for shape {}", values.size(), shape);
  Tensor result = empty(shape);
  std::copy(values.begin(), values.end(), result.data());
  return result;
}

Tensor Tensor::activation(const Shape& shape) {
  const int64_t stride = padded_stride(shape.last());
  return {Storage::allocate(static_cast<size_t>(shape.rows() * stride)), 0, shape, stride};
}

Tensor Tensor::channel_slice(int64_t begin, int64_t end) const {
  check(rank() >= 1 && 0 <= begin && begin <= end && end <= channels(), "channel_slice: [{}, {}) of {}", begin, end,
        shape_);
  return {storage_, offset_ + begin, shape_.with(rank() - 1, end - begin), row_stride_};
}

Tensor Tensor::batch_slice(int64_t begin, int64_t end) const {
  check(rank() >= 2 && 0 <= begin && begin <= end && end <= dim(0), "batch_slice: [{}, {}) of {}", begin, end, shape_);
  const int64_t rows_per_item = dim(0) == 0 ? 0 : rows() / dim(0);
  return {storage_, offset_ + begin * rows_per_item * row_stride_, shape_.with(0, end - begin), row_stride_};
}

Tensor Tensor::reshape(const Shape& shape) const {
  check(shape.numel() == numel() && (dense() || shape.last() == shape_.last()), "reshape: {} (row stride {}) to {}",
        shape_, row_stride_, shape);
  return {storage_, offset_, shape, dense() ? std::max<int64_t>(shape.last(), 1) : row_stride_};
}

Tensor Tensor::clone() const {
  Tensor copy = empty(shape_);
  copy.copy_from(*this);
  return copy;
}

void Tensor::copy_from(const Tensor& other) const {
  check(shape_ == other.shape_, "copy: {} into {}", other.shape_, shape_);
  if (dense() && other.dense()) {
    parallel_ranges(numel(), kTaskFloats, [&](int64_t begin, int64_t end) {
      std::copy(other.data() + begin, other.data() + end, data() + begin);
    });
  } else {
    const int64_t width = channels();
    parallel_ranges(rows(), kTaskFloats / std::max<int64_t>(width, 1) + 1, [&](int64_t begin, int64_t end) {
      kernels::copy_rows({other.row(begin), other.row_stride_}, {row(begin), row_stride_}, end - begin, width);
    });
  }
}

void Tensor::fill(float value) const {
  if (dense()) {
    parallel_ranges(numel(), kTaskFloats,
                    [&](int64_t begin, int64_t end) { std::fill(data() + begin, data() + end, value); });
  } else {
    const int64_t width = channels();
    parallel_ranges(rows(), kTaskFloats / std::max<int64_t>(width, 1) + 1, [&](int64_t begin, int64_t end) {
      kernels::fill_rows(value, {row(begin), row_stride_}, end - begin, width);
    });
  }
}

std::vector<float> Tensor::to_vector() const {
  std::vector<float> values(static_cast<size_t>(numel()));
  for (int64_t i = 0; i < rows(); ++i) std::copy_n(row(i), channels(), values.data() + i * channels());
  return values;
}

float Tensor::item() const {
  check(numel() == 1, "item: {} has {} elements, not one", shape_, numel());
  return *data();
}

}  // namespace giza
