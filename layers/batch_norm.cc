// Batch normalisation as a layer.
#include "layers/batch_norm.h"

#include <cmath>

#include "tensor/profile/profile.h"

namespace giza::layers {

BatchNorm2d::BatchNorm2d(int64_t channels, double momentum) : momentum_(momentum) {
  weight_ = add_parameter("weight", Tensor::full({channels}, 1.0F));
  bias_ = add_parameter("bias", Tensor::zeros({channels}));
  running_mean_ = add_buffer("running_mean", Tensor::zeros({channels}));
  running_var_ = add_buffer("running_var", Tensor::full({channels}, 1.0F));
}

Variable BatchNorm2d::forward(const Variable& x, const Context& context, bool relu, const Variable& residual,
                              const ops::ChannelMoments* moments) const {
  const profile::Layer layer(path());
  const ops::BatchNormOptions options{.momentum = momentum_, .relu = relu, .update_running = !context.again};
  if (!context.training) {
    return autograd::batch_norm_eval(x, weight_, bias_, running_mean_, running_var_, residual, options);
  }
  return autograd::batch_norm_train(x, weight_, bias_, running_mean_, running_var_, residual, options, moments);
}

BatchNorm2d::Affine BatchNorm2d::affine() const {
  const int64_t channels = running_mean_.numel();
  Affine affine = {Tensor::empty({channels}), Tensor::empty({channels})};
  for (int64_t c = 0; c < channels; ++c) {
    const double scale = static_cast<double>(weight_.value().data()[c]) /
                         std::sqrt(static_cast<double>(running_var_.data()[c]) + ops::BatchNormOptions().eps);
    affine.scale.data()[c] = static_cast<float>(scale);
    affine.shift.data()[c] = static_cast<float>(static_cast<double>(bias_.value().data()[c]) -
                                                scale * static_cast<double>(running_mean_.data()[c]));
  }
  return affine;
}

}  // namespace giza::layers
