// The shape of a convolution as a word: "n1h60w60c512k512r3d4".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tensor/ops/conv2d.h"
#include "tensor/profile/profile.h"

namespace giza::profile {

/// Letters with numbers, in any order; those with a value in brackets may be left out:
///   n batch (1)   h, w input size   c input channels   k output channels   r kernel size (1), or RxS
///   s stride (1)   d dilation (1)   p padding (d (r - 1) / 2, which keeps the size at stride 1; 0 if r is even)
struct ConvSpec {
  int64_t n = 1, h = 0, w = 0, c = 0, k = 0, kernel_h = 1, kernel_w = 1;
  Conv2dOptions options;

  ConvSpec() = default;
  ConvSpec(const Shape& x, const Shape& weight, const Conv2dOptions& conv_options);

  /// Throws Refusal "SPEC: ..." saying what was expected.
  static ConvSpec parse(std::string_view text);
  /// The shortest text that parses to this.
  std::string text() const;

  Shape input() const { return {n, h, w, c}; }
  Shape weight() const { return {k, kernel_h, kernel_w, c}; }
  Shape output() const;
  /// 2 N P Q K R S C: a multiplication and an addition per tap, those on the padding counted.
  double flops() const;
  /// Input, weights and output once each; the same for the forward pass and both gradients.
  double bytes() const;

 private:
  int64_t same_padding() const;
};

/// What one pass of a convolution of x [N,H,W,C] by w [K,R,S,C] is to a profile: kernel "conv2d_PASS", the shape as a
/// word, the algorithm of a native one or else the backend, and the operations of both.
Work conv2d_work(ConvPass pass, const Shape& x, const Shape& w, const Conv2dOptions& options);

}  // namespace giza::profile
