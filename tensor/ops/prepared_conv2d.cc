// A convolution whose weights were made ready once.
#include "tensor/ops/prepared_conv2d.h"

#include <optional>

#include "tensor/base/check.h"
#include "tensor/ops/conv/native.h"
#include "tensor/ops/conv_work.h"
#include "tensor/profile/profile.h"

namespace giza::ops {

struct PreparedConv2d::Weights {
  Shape shape;
  Conv2dOptions options;
  Tensor plain;                            // of the other backends
  std::optional<native::Filters> filters;  // of the native one
};

PreparedConv2d::PreparedConv2d(const Tensor& w, const Conv2dOptions& options, ConvAlgorithm algorithm) {
  Weights weights{w.shape(), options, {}, {}};
  weights.options.engine.algorithm = algorithm;
  if (conv_backend(w.shape(), options) == ConvBackend::native) {
    weights.filters = native::prepare(w, algorithm, options);
  } else {
    weights.plain = w;
  }
  weights_ = std::make_shared<const Weights>(std::move(weights));
}

Tensor PreparedConv2d::operator()(const Tensor& x, const ConvEpilogue& epilogue) const {
  const auto& [shape, options, plain, filters] = *weights_;
  if (!filters) return conv2d_fused(x, plain, epilogue, options);
  check_conv2d(x, shape, epilogue, options);
  const profile::Scope scope(
      [&, &w = shape, &o = options] { return profile::conv2d_work(ConvPass::forward, x.shape(), w, o); });
  return native::conv2d(x, *filters, epilogue, options);
}

}  // namespace giza::ops
