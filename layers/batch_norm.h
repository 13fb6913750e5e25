// Batch normalisation.
#pragma once

#include "layers/module.h"

namespace giza::layers {

class BatchNorm2d : public Module {
 public:
  /// Registers "weight" (1), "bias" (0), "running_mean" (0) and "running_var" (1), each [channels].
  BatchNorm2d(int64_t channels, double momentum);
  /// [N,H,W,C] -> the same. With residual (like x): added before the ReLU.
  /// moments, in training: those of x, where the convolution before gathered them.
  Variable forward(const Variable& x, const Context& context, bool relu, const Variable& residual = {},
                   const ops::ChannelMoments* moments = nullptr) const;

  /// What it does in evaluation, as y = scale x + shift; both [C].
  struct Affine {
    Tensor scale, shift;
  };
  Affine affine() const;

 private:
  Variable weight_, bias_;
  Tensor running_mean_, running_var_;
  double momentum_;
};

}  // namespace giza::layers
