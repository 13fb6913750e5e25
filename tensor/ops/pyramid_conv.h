// Convolution over a feature map and the upsampled maps of a pyramid, without upsampling them: docs/structured-head.md.
#pragma once

#include <span>
#include <vector>

#include "tensor/ops/conv2d.h"

namespace giza::ops {

/// What the pyramid maps add to pyramid_conv: maps [N,bh,bw,Cb] of any sizes, w [K,R,S,sum of Cb] (rows may be
/// strided), on a feature map of h x w -> [N,P,Q,K], the convolution of the concatenated maps, each upsampled
/// bilinearly to h x w with align_corners. Throws ShapeError if sizes do not fit.
Tensor pyramid_share(std::span<const Tensor> maps, const Tensor& w, int64_t height, int64_t width,
                     const Conv2dOptions& options);

/// conv2d(concat_channels(x, upsampled maps), w): x [N,H,W,C], maps as above, w [K,R,S,C + sum of Cb] -> [N,P,Q,K].
/// The part of x is an ordinary conv2d, whose residual is the maps' share; moments as in its epilogue. Throws
/// ShapeError if sizes do not fit.
Tensor pyramid_conv(const Tensor& x, std::span<const Tensor> maps, const Tensor& w, const Conv2dOptions& options,
                    ChannelMoments* moments = nullptr);

struct PyramidConvGradients {
  Tensor x;
  std::vector<Tensor> maps;
  Tensor w;
};
/// Which gradients to compute; the others stay undefined.
struct PyramidConvNeeds {
  bool inputs = true;  ///< x and maps
  bool weight = true;
};
PyramidConvGradients pyramid_conv_backward(const Tensor& dy, const Tensor& x, std::span<const Tensor> maps,
                                           const Tensor& w, const Conv2dOptions& options,
                                           const PyramidConvNeeds& needs = {});

}  // namespace giza::ops
