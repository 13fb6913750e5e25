// Two-dimensional convolution (cross-correlation, as in PyTorch) in NHWC.
#pragma once

#include <span>
#include <string>

#include "tensor/tensor.h"

namespace giza {

/// Implementations behind one signature. `reference` is a naive double-precision loop; `onednn` and `eigen` exist where
/// the library was found at build time. `eigen` computes 1x1 convolutions without padding, the rest is native.
enum class ConvBackend { native, onednn, eigen, reference };

/// "native", "onednn", "eigen" or "reference".
const char* to_string(ConvBackend backend);
/// The backend of that name. Throws Refusal for another name or a backend that is not built in.
ConvBackend parse_conv_backend(const std::string& name);
bool onednn_available();
bool eigen_available();

/// How the native backend computes. Winograd's F(m x m, 3 x 3) apply to 3x3 kernels at stride 1; elsewhere they mean
/// direct.
enum class ConvAlgorithm {
  automatic,  ///< the cheapest of direct, F(2x2) and F(4x4): a function of the shape alone
  fast,       ///< F(5x5) too, and F(6x6) up to 64 channels: about 3 times the rounding error of F(4x4), below 5e-6
  direct,
  winograd2,
  winograd4,
  winograd5,
  winograd6,
};
/// All of them, in this order.
std::span<const ConvAlgorithm> conv_algorithms();
/// "auto", "fast", "direct", "winograd2" to "winograd6".
const char* to_string(ConvAlgorithm algorithm);
/// The algorithm of that name. Throws Refusal for another name.
ConvAlgorithm parse_conv_algorithm(const std::string& name);

/// Who computes convolutions, and how: mostly one choice for a whole model.
struct ConvEngine {
  ConvBackend backend = ConvBackend::native;
  ConvAlgorithm algorithm = ConvAlgorithm::automatic;  ///< of the native backend
};

struct Conv2dOptions {
  int64_t stride = 1;
  int64_t padding = 0;
  int64_t dilation = 1;
  ConvEngine engine = {};
};

/// Who computes a convolution by w [K,R,S,C]: the engine's backend, but native where that is Eigen and it cannot.
ConvBackend conv_backend(const Shape& w, const Conv2dOptions& options);

namespace ops {
class ChannelMoments;
}

/// What follows a convolution, fused into its last step: + bias [K], + residual [N,P,Q,K], ReLU. Either tensor may be
/// undefined.
struct ConvEpilogue {
  Tensor bias = {}, residual = {};
  bool relu = false;
  /// Gathers mean and variance of the result per channel, not with ReLU. Only the native backend does; the others leave
  /// it as it is.
  ops::ChannelMoments* moments = nullptr;
};

enum class ConvPass { forward, backward_input, backward_weight };
/// "forward", "backward_input" or "backward_weight".
const char* to_string(ConvPass pass);

/// What the native backend does for a shape.
struct ConvPlan {
  ConvAlgorithm algorithm;  ///< direct or one of Winograd's
  double flops;             ///< operations of the direct algorithm: 2 N P Q K R S C
  double executed_flops;    ///< operations of this one: products and transforms of pictures
};

namespace ops {

/// The plan for x [N,H,W,C] and w [K,R,S,C]: a pure function of its arguments.
ConvPlan plan_conv2d(ConvPass pass, const Shape& x, const Shape& w, const Conv2dOptions& options);

/// Output size along one axis: floor((in + 2 padding - dilation (kernel - 1) - 1) / stride) + 1.
/// Throws ShapeError if it would be below one.
int64_t conv_output_size(int64_t in, int64_t kernel, const Conv2dOptions& options);

/// x [N,H,W,C], w [K,R,S,C], bias [K] or undefined -> [N,P,Q,K]. The rows of w may be strided (some channels of a wider
/// weight). Throws ShapeError if sizes do not fit.
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv2dOptions& options);
/// The same with all that an epilogue can hold.
Tensor conv2d_fused(const Tensor& x, const Tensor& w, const ConvEpilogue& epilogue, const Conv2dOptions& options);

/// dy [N,P,Q,K], w [K,R,S,C] -> dx of shape x_shape = [N,H,W,C].
Tensor conv2d_backward_input(const Tensor& dy, const Tensor& w, const Shape& x_shape, const Conv2dOptions& options);

/// x [N,H,W,C], dy [N,P,Q,K] -> dw of shape w_shape = [K,R,S,C].
Tensor conv2d_backward_weight(const Tensor& x, const Tensor& dy, const Shape& w_shape, const Conv2dOptions& options);
/// The same, written to dw [K,R,S,C], whose rows may be strided (some channels of a wider gradient).
void conv2d_backward_weight_to(const Tensor& dw, const Tensor& x, const Tensor& dy, const Conv2dOptions& options);

}  // namespace ops
}  // namespace giza
