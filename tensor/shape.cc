// Shape of a tensor.
#include "tensor/shape.h"

#include <algorithm>

#include "tensor/base/check.h"

namespace giza {

Shape::Shape(std::initializer_list<int64_t> sizes) {
  check(sizes.size() <= kMaxRank, "shape: {} sizes, at most {} are supported", sizes.size(), kMaxRank);
  for (int64_t size : sizes) sizes_[rank_++] = size;
  check_sizes();
}

// Sizes of 0 count as 1, so that the sizes beside them do not overflow on their own.
void Shape::check_sizes() const {
  int64_t product = 1;
  for (int i = 0; i < rank_; ++i) {
    check(sizes_[i] >= 0, "shape: size {} is negative", sizes_[i]);
    check(!__builtin_mul_overflow(product, std::max<int64_t>(sizes_[i], 1), &product) && product <= (int64_t{1} << 62),
          "shape: the number of elements overflows");
  }
}

int64_t Shape::numel() const {
  int64_t product = 1;
  for (int i = 0; i < rank_; ++i) product *= sizes_[i];
  return product;
}

int64_t Shape::rows() const {
  int64_t product = 1;
  for (int i = 0; i + 1 < rank_; ++i) product *= sizes_[i];
  return product;
}

Shape Shape::with(int axis, int64_t size) const {
  check(axis >= 0 && axis < rank_, "shape: axis {} of {}", axis, str());
  Shape other = *this;
  other.sizes_[axis] = size;
  other.check_sizes();
  return other;
}

std::string Shape::str() const {
  std::string text = "[";
  for (int i = 0; i < rank_; ++i) {
    if (i > 0) text += ',';
    text += std::to_string(sizes_[i]);
  }
  return text + "]";
}

}  // namespace giza
