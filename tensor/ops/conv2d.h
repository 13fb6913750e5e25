// Two-dimensional convolution (cross-correlation, as in PyTorch) in NHWC.
#pragma once

#include "tensor/tensor.h"

namespace giza {

/// Implementations behind one signature. `reference` is a naive double-precision loop; `onednn` exists where oneDNN was
/// found at build time.
enum class ConvBackend { native, onednn, reference };

/// "native", "onednn" or "reference". Throws Refusal for another name or a backend that is not built in.
ConvBackend parse_conv_backend(const std::string& name);
bool onednn_available();

struct Conv2dOptions {
  int64_t stride = 1;
  int64_t padding = 0;
  int64_t dilation = 1;
  ConvBackend backend = ConvBackend::native;
};

namespace ops {

/// Output size along one axis: floor((in + 2 padding - dilation (kernel - 1) - 1) / stride) + 1.
/// Throws ShapeError if it would be below one.
int64_t conv_output_size(int64_t in, int64_t kernel, const Conv2dOptions& options);

/// x [N,H,W,C], w [K,R,S,C], bias [K] or undefined -> [N,P,Q,K]. Throws ShapeError if sizes do not fit.
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv2dOptions& options);

/// dy [N,P,Q,K], w [K,R,S,C] -> dx of shape x_shape = [N,H,W,C].
Tensor conv2d_backward_input(const Tensor& dy, const Tensor& w, const Shape& x_shape, const Conv2dOptions& options);

/// x [N,H,W,C], dy [N,P,Q,K] -> dw of shape w_shape = [K,R,S,C].
Tensor conv2d_backward_weight(const Tensor& x, const Tensor& dy, const Shape& w_shape, const Conv2dOptions& options);

}  // namespace ops
}  // namespace giza
