// Shape of a tensor: up to four sizes, outermost first.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace giza {

class Shape {
 public:
  static constexpr int kMaxRank = 4;

  Shape() = default;
  /// Throws ShapeError for more than four sizes, a negative size, or a product above 2^62.
  Shape(std::initializer_list<int64_t> sizes);  // NOLINT(google-explicit-constructor): {1, 2} is a shape

  int rank() const { return rank_; }
  int64_t operator[](int axis) const { return sizes_[axis]; }
  /// The size of the innermost axis (channels); 1 for rank 0.
  int64_t last() const { return rank_ == 0 ? 1 : sizes_[rank_ - 1]; }
  /// Product of all sizes; 1 for rank 0.
  int64_t numel() const;
  /// Product of all sizes but the last: the number of pixels of an activation.
  int64_t rows() const;
  /// The same shape with another size on one axis. Throws ShapeError as the constructor.
  Shape with(int axis, int64_t size) const;

  bool operator==(const Shape&) const = default;
  /// "[1,60,60,256]"
  std::string str() const;

 private:
  void check_sizes() const;

  std::array<int64_t, kMaxRank> sizes_{};
  int rank_ = 0;
};

}  // namespace giza

/// Shapes print in messages as "[1,60,60,256]".
template <>
struct fmt::formatter<giza::Shape> : fmt::formatter<std::string> {
  auto format(const giza::Shape& shape, fmt::format_context& context) const {
    return fmt::formatter<std::string>::format(shape.str(), context);
  }
};
