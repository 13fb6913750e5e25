// Layers frozen for inference.
#include "layers/frozen.h"

#include "layers/conv2d.h"
#include "tensor/parallel.h"

namespace giza::layers {

Frozen::Folded Frozen::fold(const Conv2d& conv, const BatchNorm2d* bn) {
  if (bn == nullptr) return {conv.weight(), conv.bias()};
  const auto [scale, shift] = bn->affine();
  const Tensor& weight = conv.weight();
  const int64_t taps = weight.rows() / weight.dim(0), channels = weight.channels();
  Tensor folded = Tensor::empty(weight.shape());
  parallel_for(weight.dim(0), [&, scale = scale](int64_t k) {
    for (int64_t row = k * taps; row < (k + 1) * taps; ++row) {
      for (int64_t c = 0; c < channels; ++c) folded.row(row)[c] = weight.row(row)[c] * scale.data()[k];
    }
  });
  const Tensor bias = conv.bias();
  for (int64_t k = 0; bias.defined() && k < bias.numel(); ++k) shift.data()[k] += scale.data()[k] * bias.data()[k];
  return {folded, shift};
}

Tensor Frozen::conv2d(const Tensor& x, const Conv2d& conv, const BatchNorm2d* bn, const ConvEpilogue& epilogue) {
  const ConvPlan plan = ops::plan_conv2d(ConvPass::forward, x.shape(), conv.weight().shape(), conv.options());
  const auto key = std::make_pair(&conv, plan.algorithm);
  auto found = entries_.find(key);
  if (found == entries_.end()) {
    const Folded folded = fold(conv, bn);
    found = entries_.emplace(key, Entry{{folded.weight, conv.options(), plan.algorithm}, folded.bias}).first;
  }
  return found->second.conv(x, {found->second.bias, epilogue.residual, epilogue.relu});
}

}  // namespace giza::layers
