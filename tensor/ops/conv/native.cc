// The native backend: one algorithm or the other.
#include "tensor/ops/conv/native.h"

#include "tensor/ops/conv/winograd.h"

namespace giza::ops::native {

Filters prepare(const Tensor& w, ConvAlgorithm algorithm, const Conv2dOptions& options) {
  if (algorithm == ConvAlgorithm::direct) return direct::pack(w, options);
  return winograd::transform_filters(winograd_tile(algorithm), w, /*transposed=*/false);
}

Tensor conv2d(const Tensor& x, const Filters& filters, const ConvEpilogue& epilogue, const Conv2dOptions& options) {
  return std::visit(
      [&](const auto& prepared) {
        if constexpr (std::is_same_v<std::decay_t<decltype(prepared)>, winograd::Filters>) {
          return winograd::conv2d(x, prepared, epilogue, options);
        } else {
          return direct::conv2d(x, prepared, epilogue, options);
        }
      },
      filters);
}

Tensor conv2d(const Tensor& x, const Tensor& w, const ConvEpilogue& epilogue, const Conv2dOptions& options) {
  const ConvPlan plan = plan_conv2d(ConvPass::forward, x.shape(), w.shape(), options);
  if (plan.algorithm == ConvAlgorithm::direct) return direct::conv2d(x, direct::pack(w, options), epilogue, options);
  return winograd::conv2d(winograd_tile(plan.algorithm), x, w, epilogue, options);
}

Tensor conv2d_backward_input(const Tensor& dy, const Tensor& w, const Shape& x_shape, const Conv2dOptions& options) {
  const ConvPlan plan = plan_conv2d(ConvPass::backward_input, x_shape, w.shape(), options);
  if (plan.algorithm == ConvAlgorithm::direct) return direct::conv2d_backward_input(dy, w, x_shape, options);
  return winograd::conv2d_backward_input(winograd_tile(plan.algorithm), dy, w, x_shape, options);
}

void conv2d_backward_weight(const Tensor& dw, const Tensor& x, const Tensor& dy, const Conv2dOptions& options) {
  const ConvPlan plan = plan_conv2d(ConvPass::backward_weight, x.shape(), dw.shape(), options);
  if (plan.algorithm != ConvAlgorithm::direct) {
    winograd::conv2d_backward_weight(winograd_tile(plan.algorithm), dw, x, dy, options);
  } else if (dw.dense()) {
    direct::conv2d_backward_weight(dw, x, dy, options);
  } else {
    const Tensor dense = Tensor::empty(dw.shape());
    direct::conv2d_backward_weight(dense, x, dy, options);
    dw.copy_from(dense);
  }
}

}  // namespace giza::ops::native
