// Transposed convolution that starts as bilinear enlargement.
#pragma once

#include "layers/module.h"
#include "tensor/ops/conv_transpose2d.h"

namespace giza::layers {

/// Each channel enlarged for itself at the start (Long et al., CVPR 2015, section 3.3); no bias.
class Deconv2d : public Module {
 public:
  /// Registers "weight" [channels,kernel,kernel,channels].
  Deconv2d(int64_t channels, int64_t kernel, int64_t stride, int64_t padding, const ConvEngine& engine);
  /// [N,H,W,channels] -> [N,P,Q,channels]; learned: as a part of the network, else a fixed filter without gradient.
  Variable forward(const Variable& x, bool learned) const;

 private:
  ops::ConvTranspose2dOptions options_;
  Variable weight_;
};

}  // namespace giza::layers
