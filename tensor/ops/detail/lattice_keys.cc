// Points of the permutohedral lattice as numbers.
#include "tensor/ops/detail/lattice_keys.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "tensor/base/check.h"
#include "tensor/ops/elementwise.h"

namespace giza::ops {
namespace {

constexpr double kFarthest = 131072;  // a coordinate has 7 binary digits behind the point up to here

/// The distance from one feature to the next, along each of D axes, on the way to the plane of D + 1 coordinates.
double axis_scale(int i, int dimension) {
  return std::sqrt(2.0 / 3.0) * (dimension + 1) / std::sqrt((i + 1.0) * (i + 2.0));
}

}  // namespace

LatticeKeys::LatticeKeys(const Tensor& features) : dimension_(static_cast<int>(features.channels())) {
  check<Error>(all_finite(features), "permutohedral lattice: features are not finite");
  double low[kMost], high[kMost];  // of what each feature adds to coordinates
  for (int i = 0; i < dimension_; ++i) {
    float least = features.row(0)[i], most = least;
    for (int64_t row = 1; row < features.rows(); ++row) {
      least = std::min(least, features.row(row)[i]);
      most = std::max(most, features.row(row)[i]);
    }
    low[i] = axis_scale(i, dimension_) * static_cast<double>(least);
    high[i] = axis_scale(i, dimension_) * static_cast<double>(most);
  }
  int shift = 3;
  for (int j = 0; j < dimension_; ++j) {
    // Coordinate j is the sum of what features j, j + 1, ... add, less j times what feature j - 1 does.
    double least = j == 0 ? 0 : -j * high[j - 1], most = j == 0 ? 0 : -j * low[j - 1];
    for (int i = j; i < dimension_; ++i) {
      least += low[i];
      most += high[i];
    }
    check<LatticeRange>(std::max(-least, most) < kFarthest,
                        "permutohedral lattice: features lie {:.0f} standard deviations apart", most - least);
    // Rounding moves a quotient by one, bringing the sum to 0 by another, a corner and a neighbour by one each.
    constexpr int kMargin = 4;
    const double side = dimension_ + 1;
    lowest_[j] = static_cast<int32_t>(std::floor(least / side)) - kMargin;
    const int32_t highest = static_cast<int32_t>(std::ceil(most / side)) + kMargin;
    shift_[j] = shift;
    shift += std::bit_width(static_cast<uint32_t>(highest - lowest_[j]));
  }
  check<LatticeRange>(shift <= 63,
                      "permutohedral lattice: the features' ranges take {} bits together, expected at most 63", shift);
  for (int j = 0; j < dimension_; ++j) {
    unit_[j] = uint64_t{1} << shift_[j];
    all_ += unit_[j];
  }
  unit_[dimension_] = 0;
}

}  // namespace giza::ops
