// Shape of a tensor.
#include "tensor/shape.h"

#include "tensor/base/check.h"

namespace giza {

Shape::Shape(std::initializer_list<int64_t> sizes) {
  check(sizes.size() <= kMaxRank, "shape: {} sizes, at most {} are supported", sizes.size(), kMaxRank);
  int64_t product = 1;
  for (int64_t size : sizes) {
    check(size >= 0, "shape: size {} is negative", size);
    check(!__builtin_mul_overflow(product, size, &product) && product <= (int64_t{1} << 62),
          "shape: the number of elements overflows");
    sizes_[rank_++] = size;
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
