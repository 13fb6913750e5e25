// Layers frozen for inference.
#include "layers/frozen.h"

#include <algorithm>
#include <vector>

#include "autograd/listener.h"
#include "layers/conv2d.h"
#include "tensor/base/check.h"
#include "tensor/ops/pyramid_conv.h"
#include "tensor/parallel.h"

namespace giza::layers {
namespace {

void announce(std::vector<Tensor> inputs, const Tensor& output, const Conv2d& conv, const BatchNorm2d* bn,
              const ConvEpilogue& epilogue) {
  if (!autograd::heard()) return;
  autograd::announce({.name = "conv2d",
                      .inputs = std::move(inputs),
                      .output = output,
                      .options = conv.options(),
                      .layer = conv.path(),
                      .norm = bn != nullptr ? bn->path() : "",
                      .residual = epilogue.residual,
                      .relu = epilogue.relu});
}

}  // namespace

FoldedConv fold_batch_norm(const Tensor& weight, const Tensor& bias, const BatchNorm2d& bn) {
  const auto [scale, shift] = bn.affine();
  const int64_t taps = weight.rows() / weight.dim(0), channels = weight.channels();
  Tensor folded = Tensor::empty(weight.shape());
  parallel_for(weight.dim(0), [&, scale = scale](int64_t k) {
    for (int64_t row = k * taps; row < (k + 1) * taps; ++row) {
      for (int64_t c = 0; c < channels; ++c) folded.row(row)[c] = weight.row(row)[c] * scale.data()[k];
    }
  });
  for (int64_t k = 0; bias.defined() && k < bias.numel(); ++k) shift.data()[k] += scale.data()[k] * bias.data()[k];
  return {folded, shift};
}

// The first channels of the weight are x's; others belong to the maps of a pyramid.
Frozen::Entry& Frozen::find(const Conv2d& conv, const BatchNorm2d* bn, const Shape& x) {
  const Shape& shape = conv.weight().shape();
  const int64_t own = std::min(x[3], shape[3]);
  const ConvPlan plan = ops::plan_conv2d(ConvPass::forward, x, shape.with(3, own), conv.options());
  const auto key = std::make_pair(&conv, plan.algorithm);
  auto found = entries_.find(key);
  if (found == entries_.end()) {
    const FoldedConv folded =
        bn == nullptr ? FoldedConv{conv.weight(), conv.bias()} : fold_batch_norm(conv.weight(), conv.bias(), *bn);
    Entry entry{{folded.weight.channel_slice(0, own), conv.options(), plan.algorithm}, folded.bias};
    if (own < shape[3]) entry.map_weight = folded.weight.channel_slice(own, shape[3]).clone();
    found = entries_.emplace(key, std::move(entry)).first;
  }
  return found->second;
}

Tensor Frozen::conv2d(const Tensor& x, const Conv2d& conv, const BatchNorm2d* bn, const ConvEpilogue& epilogue) {
  check(x.channels() == conv.weight().channels(), "conv2d: weight {} for input {}", conv.weight().shape(), x.shape());
  const Entry& entry = find(conv, bn, x.shape());
  Tensor y = entry.conv(x, {entry.bias, epilogue.residual, epilogue.relu});
  announce({x}, y, conv, bn, epilogue);
  return y;
}

Tensor Frozen::pyramid_conv(const Tensor& x, std::span<const Tensor> maps, const Conv2d& conv, const BatchNorm2d* bn,
                            bool relu) {
  const Entry& entry = find(conv, bn, x.shape());
  const Tensor share = ops::pyramid_share(maps, entry.map_weight, x.dim(1), x.dim(2), conv.options());
  Tensor y = entry.conv(x, {entry.bias, share, relu});
  std::vector<Tensor> inputs = {x};
  inputs.insert(inputs.end(), maps.begin(), maps.end());
  announce(std::move(inputs), y, conv, bn, {.relu = relu});
  return y;
}

}  // namespace giza::layers
