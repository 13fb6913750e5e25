// Convolution, and convolution followed by batch norm.
#pragma once

#include <span>

#include "layers/batch_norm.h"
#include "layers/init.h"
#include "layers/module.h"

namespace giza::layers {

struct ConvShape {
  static constexpr int64_t kSame = -1;

  int64_t in = 0, out = 0;  ///< channels
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t padding = kSame;  ///< kSame: dilation * (kernel / 2), which keeps the size at stride 1
};

class Conv2d : public Module {
 public:
  /// Registers "weight" and, with bias, "bias"; their numbers are those of `random`.
  Conv2d(const ConvShape& shape, bool bias, const Init& init, const Random& random, const ConvEngine& engine);
  /// [N,H,W,in] -> [N,P,Q,out]. moments, if given, gathers the result's mean and variance on the way.
  Variable forward(const Variable& x, const Context& context, ops::ChannelMoments* moments = nullptr) const;
  /// relu(forward(x)), for networks without batch norm.
  Variable forward_relu(const Variable& x, const Context& context) const;
  /// As forward of x and the maps [N,b,b,Cb] of a pyramid, each upsampled to x's size and concatenated with it; neither
  /// is made (docs/structured-head.md). For layers without a bias, not frozen.
  Variable forward(const Variable& x, std::span<const Variable> maps, ops::ChannelMoments* moments) const;

  const Tensor& weight() const { return weight_.value(); }
  Tensor bias() const { return bias_.defined() ? bias_.value() : Tensor(); }
  const Conv2dOptions& options() const { return options_; }

 private:
  Conv2dOptions options_;
  Variable weight_, bias_;
};

/// Convolution without bias, then batch norm, then what BatchNorm2d::forward is asked to fuse. Not a module: the two
/// are registered beside each other under names that differ from place to place ("conv1", "bn1"; "0", "1").
struct ConvBatchNorm {
  ConvBatchNorm(const ConvShape& shape, const Init& init, const Random& random, const ConvEngine& engine,
                double momentum)
      : conv(shape, false, init, random, engine), bn(shape.out, momentum) {}

  /// batch_norm(conv(x)) (+ residual), then ReLU if asked.
  Variable forward(const Variable& x, const Context& context, bool relu, const Variable& residual = {}) const;
  /// relu(batch_norm(conv(x and the maps of a pyramid))).
  Variable forward(const Variable& x, std::span<const Variable> maps, const Context& context) const;

  Conv2d conv;
  BatchNorm2d bn;
};

}  // namespace giza::layers
