// What each bin of the pyramid has added to a score.
#include "train/explore/contributions.h"

#include <algorithm>

#include "layers/frozen.h"
#include "tensor/base/check.h"
#include "tensor/ops/conv2d.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/resize.h"

namespace giza::train {
namespace {

/// The maps that the head's convolution reads, each as large as the features, which come first.
std::vector<Tensor> enlarged_parts(const models::Pspnet& network, const SwitchedNetwork::HeadInput& input) {
  const Tensor& features = input.features.value();
  std::vector<Tensor> parts = {features};
  for (const autograd::Variable& map : input.maps) {
    parts.push_back(
        ops::resize_bilinear(map.value(), features.dim(1), features.dim(2), network.description().align_corners));
  }
  return parts;
}

/// A map like `hidden` [N,h,w,K] that is values[k] everywhere.
Tensor constant_map(const Shape& hidden, const Tensor& values) {
  Tensor map = Tensor::activation(hidden);
  for (int64_t row = 0; row < map.rows(); ++row) std::copy_n(values.data(), values.numel(), map.row(row));
  return map;
}

}  // namespace

std::vector<Tensor> contributions(const models::Pspnet& network, const SwitchedNetwork::HeadInput& input) {
  const layers::ConvBatchNorm& hidden = network.head().hidden();
  const layers::Conv2d& classifier = network.head().classifier();
  // With its batch norm folded in, the convolution is a sum over the channels of what it reads, plus the shift.
  const auto [weight, shift] = layers::fold_batch_norm(hidden.conv.weight(), hidden.conv.bias(), hidden.bn);
  std::vector<Tensor> sums;  // of the hidden units, before the ReLU: one for each part, and the shift
  Tensor total;
  int64_t channel = 0;
  for (const Tensor& part : enlarged_parts(network, input)) {
    const Tensor slice = weight.channel_slice(channel, channel + part.channels());
    channel += part.channels();
    sums.push_back(ops::conv2d(part, slice, {}, hidden.conv.options()));
    total = total.defined() ? ops::add(total, sums.back()) : sums.back();
  }
  check(channel == weight.channels(), "explore: {} channels for the weight {} of the head", channel, weight.shape());
  sums.push_back(constant_map(total.shape(), shift));
  const Tensor active = ops::relu(ops::add(total, sums.back()));

  std::vector<Tensor> scores;
  for (const Tensor& sum : sums) {
    // The classifier's bias is one of the constants, which come last.
    const Tensor bias = scores.size() + 1 == sums.size() ? classifier.bias() : Tensor();
    scores.push_back(ops::conv2d(ops::relu_backward(sum, active), classifier.weight(), bias, classifier.options()));
  }
  return scores;
}

std::vector<MapWeight> weights_at(int x, int y, int height, int width, int64_t h, int64_t w, bool align_corners) {
  // The enlargement is linear: its transpose at the one pixel tells what it reads.
  const Tensor pixel = Tensor::zeros({1, height, width, 1});
  *pixel.row(static_cast<int64_t>(y) * width + x) = 1;
  const Tensor read = ops::resize_bilinear_backward(pixel, {1, h, w, 1}, align_corners);
  std::vector<MapWeight> weights;
  for (int64_t row = 0; row < read.rows(); ++row) {
    if (*read.row(row) != 0) weights.push_back({row, static_cast<double>(*read.row(row))});
  }
  return weights;
}

double value_at(const Tensor& map, const std::vector<MapWeight>& weights, int64_t c) {
  double value = 0;
  for (const MapWeight& at : weights) value += at.weight * static_cast<double>(map.row(at.row)[c]);
  return value;
}

}  // namespace giza::train
