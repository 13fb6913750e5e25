// Tensor: a value-semantic handle on float data. Copying a Tensor copies the handle; both see the same numbers.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "tensor/shape.h"
#include "tensor/storage.h"

namespace giza {

/// Floats in rows of the innermost axis. Every tensor, views included, is `shape().rows()` rows of `shape().last()`
/// floats, one row each `row_stride()` floats: an activation [N,H,W,C] has a row per pixel, whose stride may be larger
/// than C (padding; the floats between belong to nobody and are never read or written). Weights [K,R,S,C] and vectors
/// are dense.
class Tensor {
 public:
  /// No tensor; defined() is false.
  Tensor() = default;

  /// Dense, contents undefined.
  static Tensor empty(const Shape& shape);
  /// Dense, all zeros.
  static Tensor zeros(const Shape& shape);
  /// Dense, every element `value`.
  static Tensor full(const Shape& shape, float value);
  /// Dense, a copy of `values`. Throws ShapeError if their number differs from shape.numel().
  static Tensor from(const Shape& shape, std::span<const float> values);
  /// Contents undefined, rows padded to padded_stride(C): what every op gives its output.
  static Tensor activation(const Shape& shape);

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  int rank() const { return shape_.rank(); }
  int64_t dim(int axis) const { return shape_[axis]; }
  int64_t numel() const { return shape_.numel(); }
  int64_t rows() const { return shape_.rows(); }
  int64_t channels() const { return shape_.last(); }
  /// Floats from one row (pixel) to the next.
  int64_t row_stride() const { return row_stride_; }
  bool dense() const { return row_stride_ == shape_.last() || rows() <= 1; }
  /// True where no other handle or view shares the storage, so that its owner may write in place.
  bool unique() const { return storage_.use_count() == 1; }

  /// First element. A const Tensor is a const handle: the data stays writable, as with a pointer.
  float* data() const { return storage_ ? storage_->data() + offset_ : nullptr; }
  float* row(int64_t index) const { return data() + index * row_stride_; }

  /// View of channels [begin, end).
  Tensor channel_slice(int64_t begin, int64_t end) const;
  /// View of items [begin, end) of the outermost axis.
  Tensor batch_slice(int64_t begin, int64_t end) const;
  /// View with another shape. The innermost size must stay the same unless the tensor is dense.
  Tensor reshape(const Shape& shape) const;
  /// A dense copy.
  Tensor clone() const;
  /// Copies the numbers of `other`, of the same shape, into this tensor's storage.
  void copy_from(const Tensor& other) const;
  void fill(float value) const;

  /// The numbers, dense, outermost first; for tests and printing.
  std::vector<float> to_vector() const;
  /// The one element of a tensor of one element.
  float item() const;

 private:
  Tensor(std::shared_ptr<Storage> storage, int64_t offset, const Shape& shape, int64_t row_stride)
      : storage_(std::move(storage)), offset_(offset), row_stride_(row_stride), shape_(shape) {}

  std::shared_ptr<Storage> storage_;
  int64_t offset_ = 0;
  int64_t row_stride_ = 0;
  Shape shape_;
};

/// Floats between pixels of an activation of C channels: C below 16, else C rounded up to 16 (whole vectors and cache
/// lines), and 16 more from 256 channels where the result would be a multiple of 128: power-of-two strides map many
/// pixels to the same few cache sets.
int64_t padded_stride(int64_t channels);

/// Class indices of pixels: [N,H,W], dense.
struct Labels {
  int64_t n = 0, h = 0, w = 0;
  std::vector<int32_t, ArenaAllocator<int32_t>> values;

  Labels() = default;
  Labels(int64_t items, int64_t height, int64_t width, int32_t value = 0)
      : n(items), h(height), w(width), values(static_cast<size_t>(items * height * width), value) {}
  int32_t& at(int64_t item, int64_t y, int64_t x) { return values[static_cast<size_t>((item * h + y) * w + x)]; }
  int32_t at(int64_t item, int64_t y, int64_t x) const { return values[static_cast<size_t>((item * h + y) * w + x)]; }
};

}  // namespace giza
