// A convolution whose weights were made ready once, for many inputs.
#pragma once

#include <memory>

#include "tensor/ops/conv2d.h"

namespace giza::ops {

/// Weights in the form that one algorithm of the native backend reads: packed, or transformed and packed. The other
/// backends keep them as they are and compute the epilogue in passes of their own.
class PreparedConv2d {
 public:
  /// w [K,R,S,C]. `algorithm` is that of a ConvPlan for the inputs to come.
  PreparedConv2d(const Tensor& w, const Conv2dOptions& options, ConvAlgorithm algorithm);

  /// x [N,H,W,C] -> relu(conv(x) + bias + residual) [N,P,Q,K]. Throws ShapeError for a misfit.
  Tensor operator()(const Tensor& x, const ConvEpilogue& epilogue) const;

 private:
  struct Weights;
  std::shared_ptr<const Weights> weights_;
};

}  // namespace giza::ops
