// Initial weights.
#pragma once

#include "tensor/random.h"
#include "tensor/tensor.h"

namespace giza::layers {

/// How a convolution's weight [K,R,S,C] begins. Its bias begins at zero, but with default_uniform and kaiming_normal as
/// in PyTorch: uniform in +-1 / sqrt(fan_in).
struct Init {
  enum class Rule { kaiming_normal, default_uniform, msra, normal, zero, identity };
  Rule rule = Rule::default_uniform;
  double deviation = 0;  ///< of normal, and of identity's noise
  int64_t classes = 0;   ///< of identity

  /// Normal with standard deviation sqrt(2 / fan_out), fan_out = K R S (He et al., ICCV 2015, eq. 14): the backbone.
  static const Init kaiming_normal;
  /// Uniform in +-1 / sqrt(fan_in), fan_in = R S C: PyTorch's default for convolutions and linear layers.
  static const Init default_uniform;
  /// Normal with standard deviation sqrt(2 / fan_in) (He et al., ICCV 2015, eq. 10): Caffe's filler of this name.
  static const Init msra;
  static const Init zero;
  static Init normal(double deviation) { return {Rule::normal, deviation}; }
  /// The identity on the channels of `classes` maps (Yu and Koltun, ICLR 2016, eq. 4 and 5): at the kernel's centre,
  /// classes / K from channel a to channel b where both belong to one class, floor(a classes / C) = floor(b classes /
  /// K); all else is normal with `deviation`, 0 for eq. 4. C and K are multiples of `classes`.
  static Init identity(int64_t classes, double deviation = 0) { return {Rule::identity, deviation, classes}; }
  bool operator==(const Init&) const = default;
};
inline constexpr Init Init::kaiming_normal{Rule::kaiming_normal};
inline constexpr Init Init::default_uniform{Rule::default_uniform};
inline constexpr Init Init::msra{Rule::msra};
inline constexpr Init Init::zero{Rule::zero};

/// How many numbers an element takes from `random`, for those who draw on after it.
constexpr uint32_t kNormalDraws = 2, kUniformDraws = 1;

/// The weight [K,R,S,C] of a convolution. Throws ShapeError where identity's classes do not divide C and K.
Tensor initial_weight(const Init& init, const Shape& krsc, const Random& random);
/// Its bias [K]. `random` is the weight's, and draws after it.
Tensor initial_bias(const Init& init, const Shape& krsc, const Random& random);

/// Uniform in +-1 / sqrt(fan_in).
Tensor default_uniform(const Shape& shape, int64_t fan_in, const Random& random);

/// Bilinear enlargement by ceil(k / 2) as the weight [channels,k,k,channels] of conv_transpose2d, each channel for
/// itself (Long et al., CVPR 2015, section 3.3): 1 - |i - centre| / f along each axis, f = (k + 1) / 2 rounded down,
/// centre f - 0.5 for even k and f - 1 for odd.
Tensor bilinear_kernel(int64_t channels, int64_t k);

}  // namespace giza::layers
