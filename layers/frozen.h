// Layers frozen for inference: batch norm folded into the convolution before it, weights packed or transformed once.
#pragma once

#include <map>
#include <span>
#include <utility>

#include "tensor/ops/prepared_conv2d.h"

namespace giza::layers {

class BatchNorm2d;
class Conv2d;

/// The weight [K,R,S,C] and bias [K] of a convolution and what follows it in one.
struct FoldedConv {
  Tensor weight, bias;
};
/// Those of a convolution with weight [K,R,S,C], whose rows may be strided, and bias [K] or undefined, before a batch
/// norm of K channels that uses its running statistics: weight * s and bias * s + t, s = gamma / sqrt(var + eps), t =
/// beta - mean * s.
FoldedConv fold_batch_norm(const Tensor& weight, const Tensor& bias, const BatchNorm2d& bn);

/// What convolutions need again and again while a model only infers. Filled as layers are met: the algorithm, hence the
/// form of the weights, depends on the input's size. Valid while the model's numbers do not change; make another one
/// after training or loading. The layers must outlive it. Not for several threads at once.
class Frozen {
 public:
  /// relu(batch_norm(conv(x)) + residual): epilogue.residual and epilogue.relu as given, the bias from the layers.
  /// bn may be null. x [N,H,W,C] -> [N,P,Q,K].
  Tensor conv2d(const Tensor& x, const Conv2d& conv, const BatchNorm2d* bn, const ConvEpilogue& epilogue);

  /// The same of x and the maps [N,b,b,Cb] of a pyramid, as ops::pyramid_conv.
  Tensor pyramid_conv(const Tensor& x, std::span<const Tensor> maps, const Conv2d& conv, const BatchNorm2d* bn,
                      bool relu);

 private:
  struct Entry {
    ops::PreparedConv2d conv;
    Tensor bias;
    Tensor map_weight = {};  // the channels of a pyramid's maps
  };
  Entry& find(const Conv2d& conv, const BatchNorm2d* bn, const Shape& x);

  std::map<std::pair<const Conv2d*, ConvAlgorithm>, Entry> entries_;
};

}  // namespace giza::layers
