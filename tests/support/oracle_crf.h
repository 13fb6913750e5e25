// The fully connected CRF in double precision, written from the papers alone: the permutohedral lattice, the exact
// Gaussian, and the mean field.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace giza::oracle {

/// A row of numbers for each pixel.
using PixelRows = std::vector<std::vector<double>>;
/// x -> K x
using LinearFilter = std::function<PixelRows(const PixelRows& x)>;

/// Adams, Baek, Davis 2010: points are vectors of d + 1 integers in a map.
class PermutohedralFilter {
 public:
  explicit PermutohedralFilter(const PixelRows& features);
  PixelRows filter(const PixelRows& x, bool transposed = false) const;
  size_t points() const { return index_.size(); }

 private:
  using Point = std::vector<int>;
  struct Corner {
    size_t point;
    double weight;
  };
  void embed(const std::vector<double>& feature);

  int dimension_;
  std::map<Point, size_t> index_;
  std::vector<std::vector<Corner>> corners_;  // of each pixel
};

/// sum_j exp(-|f_i - f_j|^2 / 2) x_j
PixelRows exact_gaussian(const PixelRows& features, const PixelRows& x);

/// weight * K~ of K; `normalization` as in CrfOptions.
LinearFilter normalized(const LinearFilter& filter, size_t pixels, const std::string& normalization, double weight);

/// Q = P clipped at 1e-5, then Q = softmax(log P + sum of filters of Q).
PixelRows mean_field(const PixelRows& p, const std::vector<LinearFilter>& filters, int iterations);

}  // namespace giza::oracle
