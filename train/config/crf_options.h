// The fully connected CRF as options.
#pragma once

#include <string>

namespace giza::train {

/// A picture of that size takes about as long by either filter.
constexpr int kExactCrfPixels = 2048;

/// E(x) = sum_i -log P_i(x_i) + sum_{i<j} [x_i != x_j] (w1 exp(-|p_i - p_j|^2 / 2 xy1^2 - |I_i - I_j|^2 / 2 rgb^2) +
/// w2 exp(-|p_i - p_j|^2 / 2 xy2^2)) for positions p in pixels and colours I from 0 to 255 (DeepLab v2, section 3.3).
/// The values are those that kazuto1011/deeplab-pytorch uses for ResNet101.
struct CrfOptions {
  int iterations = 10;          ///< of the mean field
  double bilateral_weight = 4;  ///< w1; 0 leaves the term out
  double bilateral_xy = 67;     ///< xy1, pixels
  double bilateral_rgb = 3;     ///< rgb, of 255
  double gaussian_weight = 3;   ///< w2; 0 leaves the term out
  double gaussian_xy = 1;       ///< xy2, pixels
  /// What the sums over pairs are divided by, n = K 1 being the sums of K's rows: symmetric (n^-1/2 K n^-1/2) | before
  /// (K n^-1: what a pixel gives) | after (n^-1 K: what it gets) | none.
  std::string normalization = "symmetric";
  /// lattice: the permutohedral lattice, an approximation | exact: all pairs of pixels, minutes for 360 x 480 | auto:
  /// exact for pictures of at most kExactCrfPixels pixels, else the lattice.
  std::string filter = "auto";

  /// Throws Refusal for values that make no sense.
  void validate() const;
  bool operator==(const CrfOptions&) const = default;
};

/// The words, and bounds of the numbers.
constexpr const char* kCrfNormalizations = "symmetric|before|after|none";
constexpr const char* kCrfFilters = "auto|lattice|exact";
constexpr int kMaxCrfIterations = 1000;
constexpr double kMaxCrfWeight = 1000;
constexpr double kMinCrfDeviation = 0.01, kMaxCrfDeviation = 1e6;

/// "dense CRF (10 iterations; bilateral 4, xy 67, rgb 3; Gaussian 3, xy 1; symmetric, auto filter)".
std::string crf_name(const CrfOptions& options);

}  // namespace giza::train
