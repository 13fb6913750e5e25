// The shape of a convolution as somebody types it: "n1h60w60c512k512r3d4".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tensor/ops/conv2d.h"

namespace giza::profile {

/// Letters with numbers, in any order; those with a value in brackets may be left out:
///   n batch (1)   h, w input size   c input channels   k output channels   r kernel size (1), or RxS
///   s stride (1)   d dilation (1)   p padding (d (r - 1) / 2, which keeps the size at stride 1; 0 if r is even)
struct ConvSpec {
  int64_t n = 1, h = 0, w = 0, c = 0, k = 0, kernel_h = 1, kernel_w = 1;
  Conv2dOptions options;

  /// Throws Refusal "SPEC: ..." saying what was expected.
  static ConvSpec parse(std::string_view text);
  /// The shortest text that parses to this.
  std::string text() const;

  Shape input() const { return {n, h, w, c}; }
  Shape weight() const { return {k, kernel_h, kernel_w, c}; }
  Shape output() const;
  /// As those of conv2d_work (tensor/ops/conv_work.h).
  double flops() const;
  double bytes() const;
};

}  // namespace giza::profile
