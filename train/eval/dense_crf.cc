// Mean field of the fully connected CRF.
#include "train/eval/dense_crf.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "tensor/base/check.h"
#include "tensor/ops/exact_filter.h"
#include "tensor/ops/permutohedral.h"
#include "tensor/ops/softmax.h"
#include "tensor/parallel.h"

namespace giza::train {
namespace {

constexpr int kPositionFeatures = 2, kBilateralFeatures = 5;

/// A sum of probabilities' rounding errors, by which they may leave [0, 1].
constexpr float kTolerance = 1e-3F;

void check_probabilities(const Tensor& p) {
  const int64_t width = p.dim(2);
  std::vector<int64_t> bad(static_cast<size_t>(p.dim(1)), -1);  // of each row of pixels, the first bad one
  parallel_for(p.dim(1), [&](int64_t y) {
    for (int64_t x = width - 1; x >= 0; --x) {
      const float* row = p.row(y * width + x);
      // A NaN fails both comparisons.
      const bool good = std::all_of(row, row + p.channels(),
                                    [](float value) { return value >= -kTolerance && value <= 1 + kTolerance; });
      if (!good) bad[static_cast<size_t>(y)] = x;
    }
  });
  for (int64_t y = 0; y < p.dim(1); ++y) {
    const int64_t x = bad[static_cast<size_t>(y)];
    if (x < 0) continue;
    for (int64_t c = 0; c < p.channels(); ++c) {
      const float value = p.row(y * width + x)[c];
      check<Error>(value >= -kTolerance && value <= 1 + kTolerance,
                   "dense CRF: class {} at x={}, y={} has probability {}, expected from 0 to 1", c, x, y, value);
    }
  }
}

/// Features [1,H,W,D] of the pixels: positions over xy and, for D = 5, colours over rgb. Divided as floats: the lattice
/// is then the authors' to the bit.
Tensor features_of(const Image& picture, int dimension, double xy, double rgb) {
  Tensor features = Tensor::empty({1, picture.height, picture.width, dimension});
  const auto xy_deviation = static_cast<float>(xy), rgb_deviation = static_cast<float>(rgb);
  parallel_for(picture.height, [&](int64_t y) {
    for (int64_t x = 0; x < picture.width; ++x) {
      float* feature = features.row(y * picture.width + x);
      feature[0] = static_cast<float>(x) / xy_deviation;
      feature[1] = static_cast<float>(y) / xy_deviation;
      const uint8_t* color = picture.at(static_cast<int>(x), static_cast<int>(y));
      for (int c = kPositionFeatures; c < dimension; ++c) {
        feature[c] = static_cast<float>(color[c - kPositionFeatures]) / rgb_deviation;
      }
    }
  });
  return features;
}

/// Makes weight * K~ of K: the factors of the normalisation and the weight.
void normalize(ops::PixelFilter& filter, const std::string& normalization, double weight) {
  const int64_t pixels = filter.pixels();
  const Tensor weights = Tensor::full({pixels}, static_cast<float>(weight));
  if (normalization != "none") {
    const Tensor ones = Tensor::full({pixels, ops::filter_width(1)}, 1.0F), zeros = Tensor::zeros(ones.shape());
    const Tensor sums = Tensor::empty(ones.shape());
    filter.add(ones, zeros, sums);
    const Tensor factors = Tensor::empty({pixels});
    const bool symmetric = normalization == "symmetric";
    for (int64_t i = 0; i < pixels; ++i) {
      const float sum = sums.row(i)[0] + 1e-20F;
      factors.data()[i] = symmetric ? 1.0F / std::sqrt(sum) : 1.0F / sum;
    }
    const bool gives = normalization != "after", gets = normalization != "before";
    filter.multiply(gives ? factors : Tensor(), gets ? factors : Tensor());
  }
  filter.multiply({}, weights);
}

bool is_exact(const CrfOptions& options, int64_t pixels) {
  return options.filter == "exact" || (options.filter == "auto" && pixels <= kExactCrfPixels);
}

/// `deviations` are the keys of those that the features are measured in.
std::unique_ptr<ops::PixelFilter> make_filter(const Tensor& features, const CrfOptions& options, double weight,
                                              const char* deviations) {
  std::unique_ptr<ops::PixelFilter> filter;
  if (is_exact(options, features.rows())) {
    filter = std::make_unique<ops::ExactFilter>(features);
  } else {
    try {
      filter = std::make_unique<ops::PermutohedralLattice>(features);
    } catch (const ops::LatticeRange& error) {
      throw Refusal(fmt::format("the CRF: {}; set {} larger, or for small pictures TEST.crf_filter exact", error.what(),
                                deviations));
    }
  }
  normalize(*filter, options.normalization, weight);
  return filter;
}

}  // namespace

Tensor dense_crf(const Tensor& probabilities, const Image& picture, const CrfOptions& options) {
  options.validate();
  check(probabilities.rank() == 4 && probabilities.dim(0) == 1 && probabilities.dim(1) == picture.height &&
            probabilities.dim(2) == picture.width && probabilities.numel() > 0,
        "dense CRF: probabilities {} for a picture of {} x {}", probabilities.shape(), picture.width, picture.height);
  check_probabilities(probabilities);

  std::vector<std::unique_ptr<ops::PixelFilter>> filters;
  if (options.bilateral_weight > 0) {
    filters.push_back(make_filter(features_of(picture, kBilateralFeatures, options.bilateral_xy, options.bilateral_rgb),
                                  options, options.bilateral_weight,
                                  "TEST.crf_bilateral_xy or TEST.crf_bilateral_rgb"));
  }
  if (options.gaussian_weight > 0) {
    filters.push_back(make_filter(features_of(picture, kPositionFeatures, options.gaussian_xy, 0), options,
                                  options.gaussian_weight, "TEST.crf_gaussian_xy"));
  }

  const int64_t classes = probabilities.channels();
  const Shape shape = probabilities.shape().with(3, ops::filter_width(classes));
  const Tensor unary = Tensor::zeros(shape), sums = Tensor::empty(shape), q = Tensor::zeros(shape);
  const auto real = [&](const Tensor& padded) { return padded.channel_slice(0, classes); };
  ops::log_probabilities_into(probabilities, kLowestCrfProbability, real(unary));
  ops::softmax_into(real(unary), real(q));
  for (int iteration = 0; iteration < options.iterations && !filters.empty(); ++iteration) {
    const Tensor* base = &unary;
    for (const auto& filter : filters) {
      filter->add(q, *base, sums);
      base = &sums;
    }
    ops::softmax_into(real(sums), real(q));
  }
  return real(q);
}

int64_t crf_bytes(int64_t pixels, int64_t classes, const CrfOptions& options) {
  const int64_t maps = 3 * pixels * ops::filter_width(classes) * int64_t{sizeof(float)};
  // The filters' own, of which the making of one is over before the other is used.
  int64_t filters = 0;
  for (const int dimension :
       {options.bilateral_weight > 0 ? kBilateralFeatures : 0, options.gaussian_weight > 0 ? kPositionFeatures : 0}) {
    if (dimension == 0) continue;
    // Sums of ones, factors, and features or their columns.
    filters += pixels * (3 * ops::filter_width(1) + 4 + 2 * dimension) * int64_t{sizeof(float)};
    if (!is_exact(options, pixels)) filters += ops::PermutohedralLattice::most_bytes(pixels, dimension, classes);
  }
  return maps + filters;
}

}  // namespace giza::train
