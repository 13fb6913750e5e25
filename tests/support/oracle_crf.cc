// The fully connected CRF in double precision.
#include "tests/support/oracle_crf.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace giza::oracle {

PermutohedralFilter::PermutohedralFilter(const PixelRows& features)
    : dimension_(static_cast<int>(features.front().size())) {
  for (const auto& feature : features) embed(feature);
}

void PermutohedralFilter::embed(const std::vector<double>& feature) {
  const int d = dimension_;
  const auto count = static_cast<size_t>(d) + 1;
  // Onto the hyperplane: column k of the basis is (1, ..., 1, -(k + 1), 0, ..., 0), scaled.
  std::vector<double> position(count, 0.0);
  for (int k = 0; k < d; ++k) {
    const double part =
        feature[static_cast<size_t>(k)] * std::sqrt(2.0 / 3.0) * (d + 1) / std::sqrt((k + 1.0) * (k + 2.0));
    for (int j = 0; j <= k; ++j) position[static_cast<size_t>(j)] += part;
    position[static_cast<size_t>(k) + 1] -= (k + 1) * part;
  }
  // The nearest point of multiples of d + 1: round, then move those that rounding moved furthest.
  std::vector<double> base(count);
  int excess = 0;
  for (size_t i = 0; i < count; ++i) {
    const double cell = std::nearbyint(position[i] / (d + 1));
    base[i] = cell * (d + 1);
    excess += static_cast<int>(cell);
  }
  std::vector<size_t> order(count);  // coordinates by their residuals, the largest first; of equal ones the earlier
  std::iota(order.begin(), order.end(), size_t{0});
  const auto sort = [&] {
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return position[a] - base[a] > position[b] - base[b]; });
  };
  sort();
  for (int step = 0; step < std::abs(excess); ++step) {
    const auto place = static_cast<size_t>(step);
    if (excess > 0) {
      base[order[count - 1 - place]] -= d + 1;
    } else {
      base[order[place]] += d + 1;
    }
  }
  sort();
  std::vector<double> residual(count);
  for (size_t i = 0; i < count; ++i) residual[i] = (position[order[i]] - base[order[i]]) / (d + 1);
  std::vector<Corner> corners;
  for (size_t r = 0; r < count; ++r) {
    Point point(count);
    for (size_t i = 0; i < count; ++i) {
      const bool wraps = i + r > static_cast<size_t>(d);
      point[order[i]] = static_cast<int>(base[order[i]]) + static_cast<int>(r) - (wraps ? d + 1 : 0);
    }
    const size_t last = count - 1;
    const double weight = r == 0 ? 1 - (residual[0] - residual[last]) : residual[last - r] - residual[last - r + 1];
    corners.push_back({index_.emplace(point, index_.size()).first->second, weight});
  }
  corners_.push_back(corners);
}

PixelRows PermutohedralFilter::filter(const PixelRows& x, bool transposed) const {
  const size_t width = x.front().size();
  PixelRows values(index_.size(), std::vector<double>(width, 0.0));
  for (size_t i = 0; i < x.size(); ++i) {
    for (const Corner& corner : corners_[i]) {
      for (size_t c = 0; c < width; ++c) values[corner.point][c] += corner.weight * x[i][c];
    }
  }
  for (int step = 0; step <= dimension_; ++step) {
    const auto axis = static_cast<size_t>(transposed ? dimension_ - step : step);
    PixelRows blurred = values;
    for (const auto& [point, index] : index_) {
      for (const int sign : {-1, 1}) {
        Point neighbour = point;
        for (int& coordinate : neighbour) coordinate += sign;
        neighbour[axis] -= sign * (dimension_ + 1);
        const auto found = index_.find(neighbour);
        if (found == index_.end()) continue;
        for (size_t c = 0; c < width; ++c) blurred[index][c] += 0.5 * values[found->second][c];
      }
    }
    values = blurred;
  }
  PixelRows y(x.size(), std::vector<double>(width, 0.0));
  for (size_t i = 0; i < x.size(); ++i) {
    for (const Corner& corner : corners_[i]) {
      for (size_t c = 0; c < width; ++c) {
        y[i][c] += corner.weight * values[corner.point][c] / (1 + std::pow(2.0, -dimension_));
      }
    }
  }
  return y;
}

PixelRows exact_gaussian(const PixelRows& features, const PixelRows& x) {
  PixelRows y(x.size(), std::vector<double>(x.front().size(), 0.0));
  for (size_t i = 0; i < x.size(); ++i) {
    for (size_t j = 0; j < x.size(); ++j) {
      double distance = 0;
      for (size_t k = 0; k < features[i].size(); ++k) distance += std::pow(features[i][k] - features[j][k], 2);
      const double weight = std::exp(-distance / 2);
      for (size_t c = 0; c < x[j].size(); ++c) y[i][c] += weight * x[j][c];
    }
  }
  return y;
}

LinearFilter normalized(const LinearFilter& filter, size_t pixels, const std::string& normalization, double weight) {
  const PixelRows sums = filter(PixelRows(pixels, {1.0}));
  std::vector<double> before(pixels, 1.0), after(pixels, weight);
  for (size_t i = 0; i < pixels; ++i) {
    if (normalization == "symmetric") {
      before[i] /= std::sqrt(sums[i][0]);
      after[i] /= std::sqrt(sums[i][0]);
    } else if (normalization == "before") {
      before[i] /= sums[i][0];
    } else if (normalization == "after") {
      after[i] /= sums[i][0];
    }
  }
  return [=](const PixelRows& x) {
    PixelRows scaled = x;
    for (size_t i = 0; i < pixels; ++i) {
      for (double& value : scaled[i]) value *= before[i];
    }
    PixelRows y = filter(scaled);
    for (size_t i = 0; i < pixels; ++i) {
      for (double& value : y[i]) value *= after[i];
    }
    return y;
  };
}

PixelRows mean_field(const PixelRows& p, const std::vector<LinearFilter>& filters, int iterations) {
  PixelRows unary = p;
  for (auto& row : unary) {
    for (double& value : row) value = std::log(std::clamp(value, 1e-5, 1.0));
  }
  const auto softmax = [](PixelRows rows) {
    for (auto& row : rows) {
      const double top = *std::max_element(row.begin(), row.end());
      double sum = 0;
      for (double& value : row) sum += value = std::exp(value - top);
      for (double& value : row) value /= sum;
    }
    return rows;
  };
  PixelRows q = softmax(unary);
  for (int iteration = 0; iteration < iterations; ++iteration) {
    PixelRows sums = unary;
    for (const LinearFilter& filter : filters) {
      const PixelRows messages = filter(q);
      for (size_t i = 0; i < sums.size(); ++i) {
        for (size_t c = 0; c < sums[i].size(); ++c) sums[i][c] += messages[i][c];
      }
    }
    q = softmax(sums);
  }
  return q;
}

}  // namespace giza::oracle
