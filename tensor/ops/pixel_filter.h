// Linear filters between all pixels of a picture: what the fully connected CRF asks of its Gaussians.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tensor/tensor.h"

namespace giza::ops {

enum class FilterDirection { forward, transposed };

/// y_i = sum over all pixels j, i among them, of K_ij x_j, for rows x_j of any number of values.
class PixelFilter {
 public:
  virtual ~PixelFilter() = default;

  /// y = base + K x, or base + transpose(K) x. All are [..,W] with a row per pixel and W = filter_width(classes); y may
  /// be base, but not x. Throws ShapeError.
  void add(const Tensor& x, const Tensor& base, const Tensor& y,
           FilterDirection direction = FilterDirection::forward) const;

  /// K becomes diag(outputs) K diag(inputs): a factor for each pixel, [pixels]; an undefined tensor changes nothing.
  /// Throws ShapeError.
  void multiply(const Tensor& inputs, const Tensor& outputs);

  int64_t pixels() const { return inputs_.numel(); }

 protected:
  /// The factors of one use of the filter, in the order of the pixels.
  struct Factors {
    const float *inputs, *outputs;
  };

  PixelFilter(const char* name, int64_t pixels)
      : inputs_(Tensor::full({pixels}, 1.0F)), outputs_(Tensor::full({pixels}, 1.0F)), name_(name) {}

 private:
  /// y = base + diag(outputs) K diag(inputs) x without multiply's factors in K, or K transposed; shapes are checked.
  virtual void run(const Tensor& x, const Tensor& base, const Tensor& y, const Factors& factors,
                   FilterDirection direction) const = 0;

  Tensor inputs_, outputs_;
  const char* name_;
};

/// Values in a row of `classes` values that filters take: padded to whole vectors, with any finite numbers.
int64_t filter_width(int64_t classes);

/// The most values of a row that are filtered together: as many as stay in registers.
constexpr int64_t kFilterColumns = 32;

/// Calls body(column, width) for the columns of rows as loops take them, whatever the classes.
template <class Body>
void for_each_filter_slice(int64_t width, const Body& body) {
  for (int64_t column = 0; column < width; column += kFilterColumns) {
    body(column, std::min(kFilterColumns, width - column));
  }
}

}  // namespace giza::ops
