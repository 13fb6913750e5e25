// Batch normalisation over the pixels of each channel.
#include "tensor/ops/batch_norm.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <iterator>
#include <vector>

#include "tensor/base/check.h"
#include "tensor/dry_run.h"
#include "tensor/kernels/batch_norm.h"
#include "tensor/ops/batch_share.h"
#include "tensor/ops/partials.h"
#include "tensor/ops/picture_cut.h"
#include "tensor/ops/scratch.h"
#include "tensor/profile/profile.h"

namespace giza::ops {
namespace {

void check_channels(const char* op, const Tensor& x, std::initializer_list<const Tensor*> vectors) {
  check(x.rank() == 4, "{}: x {} is not [N,H,W,C]", op, x.shape());
  for (const Tensor* vector : vectors) {
    check(vector->shape() == Shape{x.channels()}, "{}: a parameter has shape {}, x is {}", op, vector->shape(),
          x.shape());
  }
}

void check_like(const char* op, const char* name, const Tensor& t, const Tensor& x) {
  check(t.shape() == x.shape(), "{}: {} is {}, x is {}", op, name, t.shape(), x.shape());
}

/// True if all inputs are dense, and the outputs, which are activations of the same shape, will be.
bool all_dense(const Tensor& x, std::initializer_list<const Tensor*> tensors) {
  return padded_stride(x.channels()) == x.channels() &&
         std::all_of(tensors.begin(), tensors.end(), [](const Tensor* t) { return !t->defined() || t->dense(); });
}

/// `count` parameters per channel, repeated over the columns of a Fold.
class ColumnParameters {
 public:
  ColumnParameters(const Fold& fold, int count)
      : fold_(fold), channels_(count * fold.channels), columns_(count * fold.width) {}
  float& at(int which, int64_t channel) { return channels_[which * fold_.channels + channel]; }
  /// Parameter `which` of all columns, once all at() are set.
  const float* columns(int which) {
    float* to = columns_.data() + which * fold_.width;
    fold_.tile(channels_.data() + which * fold_.channels, to);
    return to;
  }

 private:
  const Fold& fold_;
  Scratch<float> channels_, columns_;
};

/// What normalises a channel: (x - mean) * scale + beta, with the mean in two floats, because one float of a mean far
/// from zero is off by more than the deviations from it should be.
void set_affine(ColumnParameters& parameters, int64_t c, double mean, double scale, double beta) {
  const auto center = static_cast<float>(mean);
  parameters.at(0, c) = center;
  parameters.at(1, c) = static_cast<float>(scale);
  parameters.at(2, c) = static_cast<float>(beta - (mean - static_cast<double>(center)) * scale);
}

Tensor normalize(const Fold& fold, const Tensor& x, const Tensor& residual, ColumnParameters& parameters, bool relu) {
  Tensor y = Tensor::activation(x.shape());
  const float* center = parameters.columns(0);
  const float* scale = parameters.columns(1);
  const float* offset = parameters.columns(2);
  fold.for_each_range([&](int64_t row, int64_t rows, int64_t columns) {
    kernels::batch_norm_normalize(fold.of(x, row), fold.of(residual, row), center, scale, offset, relu, fold.of(y, row),
                                  rows, columns);
  });
  return y;
}

/// What tells where a ReLU let the gradient through: its output, or scale and offset per column; neither without ReLU.
struct MaskSource {
  Tensor y;
  const float *scale = nullptr, *offset = nullptr;

  /// For the kernels, at a row and column of a Fold.
  kernels::BatchNormMask at(const Fold& fold, int64_t row, int64_t column) const {
    if (scale != nullptr) return {{}, scale + column, offset + column};
    return {fold.of(y, row, column), nullptr, nullptr};
  }
};

void accumulate_backward(Partials& sums, const Fold& fold, const Tensor& dy, const Tensor& x, const MaskSource& mask,
                         const float* center) {
  sums.accumulate([&](int64_t row, int64_t rows, int64_t column, int64_t columns, double* to) {
    kernels::batch_norm_backward_sums(fold.of(dy, row, column), fold.of(x, row, column), mask.at(fold, row, column),
                                      center + column, rows, columns, to, sums.stride());
  });
}

/// The tensor that holds the ReLU mask, undefined without ReLU.
Tensor mask_of(const char* op, const Tensor& x, const Tensor& y, bool relu) {
  if (!relu) return {};
  check(y.defined(), "{}: the ReLU mask needs y", op);
  check_like(op, "y", y, x);
  return y;
}

/// Parameters 0, 1 and 2 as set_affine set them, for a later pass.
Tensor save_affine(ColumnParameters& parameters, int64_t channels) {
  Tensor affine = Tensor::empty({3, channels});
  for (int i = 0; i < 3; ++i) {
    for (int64_t c = 0; c < channels; ++c) affine.row(i)[c] = parameters.at(i, c);
  }
  return affine;
}

/// Pixels of the whole batch.
int64_t pixels_of_batch(const Tensor& x) {
  const int64_t own = std::max<int64_t>(x.dim(0), 1);
  return x.rows() / own * pictures_of_batch(own);
}

/// The moments of x, where no convolution gathered them.
ChannelMoments moments_of(const Tensor& x) {
  const int64_t pictures = x.dim(0), channels = x.channels();
  const PictureCut cut(pictures, x.rows() / std::max<int64_t>(pictures, 1), row_grain(channels), 1);
  ChannelMoments moments;
  moments.start(pictures, cut.blocks, channels);
  parallel_for(cut.tasks(), [&](int64_t task) {
    cut.for_each_block(cut.begin(task), cut.end(task), [&](int64_t block, int64_t begin, int64_t end) {
      moments.add(block, x.row(begin), x.row_stride(), end - begin, 0, channels, /*first=*/true);
    });
  });
  moments.finish();
  return moments;
}

}  // namespace

BatchNormResult batch_norm_train(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& running_mean,
                                 const Tensor& running_var, const Tensor& residual, const BatchNormOptions& options,
                                 const ChannelMoments* moments) {
  check_channels("batch_norm", x, {&gamma, &beta, &running_mean, &running_var});
  if (residual.defined()) check_like("batch_norm", "residual", residual, x);
  const int64_t count = pixels_of_batch(x), channels = x.channels();
  check(count > 1,
        "batch_norm: x {} has {} per channel, whose variance says nothing; use a larger batch or crop, or evaluation "
        "mode",
        x.shape(), count == 1 ? "a single value" : "no value");
  // Moments (4) if they are not given, normalising (3), residual and ReLU.
  const profile::Scope scope([&] {
    const int moments_work = moments != nullptr && moments->ready() ? 0 : 4;
    return profile::elementwise("batch_norm_train", moments_work + 3 + residual.defined() + options.relu, x, x,
                                residual);
  });
  const Fold fold(x.shape(), all_dense(x, {&x, &residual}));
  const bool given = moments != nullptr && moments->ready();
  // Where convolutions are not run they count no pixels.
  check(!given || simulating() || (moments->count() == count && std::ssize(moments->mean()) == channels),
        "batch_norm: moments of {} pixels and {} channels for x {}", given ? moments->count() : 0,
        given ? std::ssize(moments->mean()) : 0, x.shape());
  const ChannelMoments own = given ? ChannelMoments() : moments_of(x);
  const ArenaVector& mean_of = given ? moments->mean() : own.mean();
  const ArenaVector& variance_of = given ? moments->variance() : own.variance();

  BatchNormResult result{{}, Tensor::empty({channels}), Tensor::empty({channels}), {}};
  ColumnParameters parameters(fold, 3);
  const auto n = static_cast<double>(count);
  for (int64_t c = 0; c < channels; ++c) {
    const double mean = mean_of[static_cast<size_t>(c)], variance = variance_of[static_cast<size_t>(c)];
    const double invstd = 1.0 / std::sqrt(variance + options.eps);
    set_affine(parameters, c, mean, gamma.data()[c] * invstd, beta.data()[c]);
    result.mean.data()[c] = static_cast<float>(mean);
    result.invstd.data()[c] = static_cast<float>(invstd);
    if (!options.update_running) continue;
    float& run_mean = running_mean.data()[c];
    float& run_var = running_var.data()[c];
    run_mean = static_cast<float>((1 - options.momentum) * run_mean + options.momentum * mean);
    run_var = static_cast<float>((1 - options.momentum) * run_var + options.momentum * variance * n / (n - 1));
  }
  result.affine = save_affine(parameters, channels);
  result.y = normalize(fold, x, residual, parameters, options.relu);
  return result;
}

Tensor batch_norm_again(const Tensor& x, const Tensor& affine, bool relu) {
  check(affine.shape() == Shape{3, x.channels()}, "batch_norm_again: affine {} for x {}", affine.shape(), x.shape());
  const profile::Scope scope([&] { return profile::elementwise("batch_norm_again", 3 + relu, x, x); });
  const Fold fold(x.shape(), all_dense(x, {&x}));
  ColumnParameters parameters(fold, 3);
  for (int i = 0; i < 3; ++i) {
    for (int64_t c = 0; c < x.channels(); ++c) parameters.at(i, c) = affine.row(i)[c];
  }
  return normalize(fold, x, {}, parameters, relu);
}

Tensor batch_norm_eval(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& running_mean,
                       const Tensor& running_var, const Tensor& residual, const BatchNormOptions& options) {
  check_channels("batch_norm", x, {&gamma, &beta, &running_mean, &running_var});
  if (residual.defined()) check_like("batch_norm", "residual", residual, x);
  const profile::Scope scope(
      [&] { return profile::elementwise("batch_norm_eval", 3 + residual.defined() + options.relu, x, x, residual); });
  const Fold fold(x.shape(), all_dense(x, {&x, &residual}));
  ColumnParameters parameters(fold, 3);
  for (int64_t c = 0; c < x.channels(); ++c) {
    const double invstd = 1.0 / std::sqrt(running_var.data()[c] + options.eps);
    set_affine(parameters, c, running_mean.data()[c], gamma.data()[c] * invstd, beta.data()[c]);
  }
  return normalize(fold, x, residual, parameters, options.relu);
}

BatchNormGradients batch_norm_train_backward(const Tensor& dy, const Tensor& x, const Tensor& y, const Tensor& gamma,
                                             const Tensor& mean, const Tensor& invstd, bool need_residual,
                                             const BatchNormOptions& options, const Tensor& affine) {
  check_channels("batch_norm_backward", x, {&gamma, &mean, &invstd});
  check_like("batch_norm_backward", "dy", dy, x);
  const bool from_x = options.relu && affine.defined();
  check(!from_x || affine.shape() == Shape{3, x.channels()}, "batch_norm_backward: affine {} for x {}", affine.shape(),
        x.shape());
  const Tensor output = mask_of("batch_norm_backward", x, y, options.relu && !from_x);
  // Sums (5), the gradient (6), and the mask.
  const profile::Scope scope([&] {
    return profile::elementwise("batch_norm_train_backward", 11 + options.relu, x, dy, output, x,
                                need_residual ? x : Tensor());
  });
  const Fold fold(x.shape(), all_dense(x, {&dy, &x, &output}));
  ColumnParameters parameters(fold, 7);
  for (int64_t c = 0; c < x.channels(); ++c) {
    parameters.at(3, c) = mean.data()[c];
    if (!from_x) continue;
    parameters.at(5, c) = affine.row(1)[c];
    parameters.at(6, c) = affine.row(2)[c];
  }
  const MaskSource mask = {output, from_x ? parameters.columns(5) : nullptr, from_x ? parameters.columns(6) : nullptr};
  const float* center = parameters.columns(3);
  Partials sums(fold, 3);
  accumulate_backward(sums, fold, dy, x, mask, center);

  // dx = gamma invstd (g - mean(g) - xhat mean(g xhat)) (Ioffe & Szegedy, section 3), written around float centres:
  // the mean is center + rest, where rest, what rounding to float took from it, is the mean of x - center.
  const bool to_residual = options.overwrite_dy && need_residual, to_x = options.overwrite_dy && !need_residual;
  BatchNormGradients gradients = {to_x ? dy : Tensor::activation(x.shape()), Tensor::empty({x.channels()}),
                                  Tensor::empty({x.channels()}), Tensor()};
  if (need_residual) gradients.residual = to_residual ? dy : Tensor::activation(x.shape());
  const auto n = static_cast<double>(pixels_of_batch(x));
  for (int64_t c = 0; c < x.channels(); ++c) {
    const double inv = invstd.data()[c], sum_g = sums.sum(0, c), rest = sums.sum(2, c) / n;
    const double sum_g_xhat = (sums.sum(1, c) - rest * sum_g) * inv;
    gradients.beta.data()[c] = static_cast<float>(sum_g);
    gradients.gamma.data()[c] = static_cast<float>(sum_g_xhat);
    const double a = gamma.data()[c] * inv, b = -a * inv * sum_g_xhat / n, mean_g = sum_g / n;
    const auto g_center = static_cast<float>(mean_g);
    parameters.at(0, c) = static_cast<float>(a);
    parameters.at(1, c) = g_center;
    parameters.at(2, c) = static_cast<float>(b);
    parameters.at(4, c) = static_cast<float>(a * (static_cast<double>(g_center) - mean_g) - b * rest);
  }
  const kernels::BatchNormSlopes slopes{parameters.columns(0), parameters.columns(1), parameters.columns(2), center,
                                        parameters.columns(4)};
  const Tensor &dx = gradients.x, &dresidual = gradients.residual;
  fold.for_each_range([&](int64_t row, int64_t rows, int64_t columns) {
    kernels::batch_norm_backward_data(fold.of(dy, row), fold.of(x, row), mask.at(fold, row, 0), slopes,
                                      fold.of(dx, row), fold.of(dresidual, row), rows, columns);
  });
  return gradients;
}

BatchNormGradients batch_norm_eval_backward(const Tensor& dy, const Tensor& x, const Tensor& y, const Tensor& gamma,
                                            const Tensor& running_mean, const Tensor& running_var, bool need_residual,
                                            const BatchNormOptions& options) {
  check_channels("batch_norm_backward", x, {&gamma, &running_mean, &running_var});
  check_like("batch_norm_backward", "dy", dy, x);
  const Tensor mask = mask_of("batch_norm_backward", x, y, options.relu);
  const profile::Scope scope([&] {
    return profile::elementwise("batch_norm_eval_backward", 5 + options.relu, x, dy, mask, x,
                                need_residual ? x : Tensor());
  });
  const Fold fold(x.shape(), all_dense(x, {&dy, &x, &mask}));
  ColumnParameters parameters(fold, 2);
  for (int64_t c = 0; c < x.channels(); ++c) parameters.at(0, c) = running_mean.data()[c];
  Partials sums(fold, 3);
  accumulate_backward(sums, fold, dy, x, {mask}, parameters.columns(0));

  BatchNormGradients gradients = {Tensor::activation(x.shape()), Tensor::empty({x.channels()}),
                                  Tensor::empty({x.channels()}),
                                  need_residual ? Tensor::activation(x.shape()) : Tensor()};
  for (int64_t c = 0; c < x.channels(); ++c) {
    const double invstd = 1.0 / std::sqrt(running_var.data()[c] + options.eps);
    gradients.beta.data()[c] = static_cast<float>(sums.sum(0, c));
    gradients.gamma.data()[c] = static_cast<float>(sums.sum(1, c) * invstd);
    parameters.at(1, c) = static_cast<float>(gamma.data()[c] * invstd);
  }
  const float* scale = parameters.columns(1);
  const Tensor &dx = gradients.x, &dresidual = gradients.residual;
  fold.for_each_range([&](int64_t row, int64_t rows, int64_t columns) {
    kernels::batch_norm_backward_constant(fold.of(dy, row), fold.of(mask, row), scale, fold.of(dx, row),
                                          fold.of(dresidual, row), rows, columns);
  });
  return gradients;
}

}  // namespace giza::ops
