// A convolution as a profile names and counts it.
#pragma once

#include <string>

#include "tensor/ops/conv2d.h"
#include "tensor/profile/profile.h"

namespace giza::profile {

/// The padding that keeps the size at stride 1, for a square kernel of odd size; 0 for others.
int64_t same_padding(int64_t kernel_h, int64_t kernel_w, int64_t dilation);

/// x [N,H,W,C] by w [K,R,S,C] as a word of letters and numbers, "n1h60w60c512k512r3d4": what stands at its usual value
/// (stride 1, dilation 1, same_padding) is left out.
std::string conv2d_word(const Shape& x, const Shape& w, const Conv2dOptions& options);

/// What one pass is: kernel "conv2d_PASS", the word, the algorithm of a native one or else the backend; operations
/// 2 N P Q K R S C (a multiplication and an addition per tap, those on the padding counted) and those of the algorithm;
/// bytes of input, weights and output once each, the same for the forward pass and both gradients.
Work conv2d_work(ConvPass pass, const Shape& x, const Shape& w, const Conv2dOptions& options);

}  // namespace giza::profile
