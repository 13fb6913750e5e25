// Convolution: checks, and the choice of a backend.
#include "tensor/ops/conv2d.h"

#include "tensor/backends/eigen.h"
#include "tensor/backends/onednn.h"
#include "tensor/backends/reference.h"
#include "tensor/base/check.h"
#include "tensor/ops/conv/native.h"
#include "tensor/ops/conv_work.h"
#include "tensor/ops/elementwise.h"
#include "tensor/profile/profile.h"

namespace giza {

const char* to_string(ConvBackend backend) {
  switch (backend) {
    case ConvBackend::onednn:
      return "onednn";
    case ConvBackend::eigen:
      return "eigen";
    case ConvBackend::reference:
      return "reference";
    default:
      return "native";
  }
}

const char* to_string(ConvPass pass) {
  switch (pass) {
    case ConvPass::forward:
      return "forward";
    case ConvPass::backward_input:
      return "backward_input";
    default:
      return "backward_weight";
  }
}

ConvBackend parse_conv_backend(const std::string& name) {
  if (name == "native") return ConvBackend::native;
  if (name == "reference") return ConvBackend::reference;
  check<Refusal>(name == "onednn" || name == "eigen",
                 "{}: unknown convolution backend; choose native, onednn, eigen or reference", name);
  const bool eigen = name == "eigen";
  check<Refusal>(eigen ? eigen_available() : onednn_available(),
                 "{}: this build has no such convolution backend; install {} and build again", name,
                 eigen ? "Eigen" : "oneDNN");
  return eigen ? ConvBackend::eigen : ConvBackend::onednn;
}

ConvBackend conv_backend(const Shape& w, const Conv2dOptions& options) {
  const ConvBackend backend = options.engine.backend;
  return backend == ConvBackend::eigen && !ops::eigen::applies(w, options) ? ConvBackend::native : backend;
}

namespace ops {
namespace {

void check_operands(const char* op, const Shape& x, const Shape& w, const Conv2dOptions& options) {
  check(x.rank() == 4 && w.rank() == 4, "{}: input {} and weight {} must be [N,H,W,C] and [K,R,S,C]", op, x, w);
  check(w[3] == x[3], "{}: weight {} expects {} channels, input is {}", op, w, w[3], x);
  check(w.numel() > 0, "{}: weight {} is empty", op, w);
  check(options.stride >= 1 && options.dilation >= 1 && options.padding >= 0,
        "{}: stride {}, dilation {} and padding {} must be at least 1, 1 and 0", op, options.stride, options.dilation,
        options.padding);
}

Shape output_shape(const Shape& x, const Shape& w, const Conv2dOptions& options) {
  return {x[0], conv_output_size(x[1], w[1], options), conv_output_size(x[2], w[2], options), w[0]};
}

void check_gradient(const char* op, const Shape& dy, const Shape& x, const Shape& w, const Conv2dOptions& options) {
  const Shape expected = output_shape(x, w, options);
  check(dy == expected, "{}: gradient {} for input {} and weight {}, whose output is {}", op, dy, x, w, expected);
}

// The other backends read weights as one block.
Tensor dense(const Tensor& w) { return w.dense() ? w : w.clone(); }

}  // namespace

int64_t conv_output_size(int64_t in, int64_t kernel, const Conv2dOptions& options) {
  const int64_t span = in + 2 * options.padding - options.dilation * (kernel - 1) - 1;
  check(span >= 0, "conv2d: kernel {} with dilation {} does not fit size {} with padding {}", kernel, options.dilation,
        in, options.padding);
  return span / options.stride + 1;
}

void check_conv2d(const Tensor& x, const Shape& w, const ConvEpilogue& epilogue, const Conv2dOptions& options) {
  check_operands("conv2d", x.shape(), w, options);
  const Tensor &bias = epilogue.bias, &residual = epilogue.residual;
  check(!bias.defined() || bias.shape() == Shape{w[0]}, "conv2d: bias {} for weight {}", bias.shape(), w);
  const Shape output = output_shape(x.shape(), w, options);
  check(!residual.defined() || residual.shape() == output, "conv2d: residual {} for output {}", residual.shape(),
        output);
}

Tensor conv2d_fused(const Tensor& x, const Tensor& w, const ConvEpilogue& epilogue, const Conv2dOptions& options) {
  check_conv2d(x, w.shape(), epilogue, options);
  Tensor y;
  {
    const profile::Scope scope([&] { return profile::conv2d_work(ConvPass::forward, x.shape(), w.shape(), options); });
    switch (conv_backend(w.shape(), options)) {
      case ConvBackend::onednn:
        y = onednn::conv2d(x, dense(w), epilogue.bias, options);
        break;
      case ConvBackend::eigen:
        y = eigen::conv2d(x, w, epilogue.bias, options);
        break;
      case ConvBackend::reference:
        y = reference::conv2d(x, dense(w), epilogue.bias, options);
        break;
      default:
        return native::conv2d(x, w, epilogue, options);
    }
  }
  // What the other backends do not fuse.
  if (epilogue.residual.defined()) y = add(y, epilogue.residual);
  return epilogue.relu ? relu(y) : y;
}

Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv2dOptions& options) {
  return conv2d_fused(x, w, {.bias = bias}, options);
}

Tensor conv2d_backward_input(const Tensor& dy, const Tensor& w, const Shape& x_shape, const Conv2dOptions& options) {
  check_operands("conv2d_backward_input", x_shape, w.shape(), options);
  check_gradient("conv2d_backward_input", dy.shape(), x_shape, w.shape(), options);
  const profile::Scope scope(
      [&] { return profile::conv2d_work(ConvPass::backward_input, x_shape, w.shape(), options); });
  switch (conv_backend(w.shape(), options)) {
    case ConvBackend::onednn:
      return onednn::conv2d_backward_input(dy, dense(w), x_shape, options);
    case ConvBackend::eigen:
      return eigen::conv2d_backward_input(dy, w, x_shape, options);
    case ConvBackend::reference:
      return reference::conv2d_backward_input(dy, dense(w), x_shape, options);
    default:
      return native::conv2d_backward_input(dy, w, x_shape, options);
  }
}

void conv2d_backward_weight_to(const Tensor& dw, const Tensor& x, const Tensor& dy, const Conv2dOptions& options) {
  const Shape& w_shape = dw.shape();
  check_operands("conv2d_backward_weight", x.shape(), w_shape, options);
  check_gradient("conv2d_backward_weight", dy.shape(), x.shape(), w_shape, options);
  const profile::Scope scope(
      [&] { return profile::conv2d_work(ConvPass::backward_weight, x.shape(), w_shape, options); });
  switch (conv_backend(w_shape, options)) {
    case ConvBackend::onednn:
      return dw.copy_from(onednn::conv2d_backward_weight(x, dy, w_shape, options));
    case ConvBackend::eigen:
      return eigen::conv2d_backward_weight(dw, x, dy, options);
    case ConvBackend::reference:
      return dw.copy_from(reference::conv2d_backward_weight(x, dy, w_shape, options));
    default:
      return native::conv2d_backward_weight(dw, x, dy, options);
  }
}

Tensor conv2d_backward_weight(const Tensor& x, const Tensor& dy, const Shape& w_shape, const Conv2dOptions& options) {
  check_operands("conv2d_backward_weight", x.shape(), w_shape, options);
  Tensor dw = Tensor::empty(w_shape);
  conv2d_backward_weight_to(dw, x, dy, options);
  return dw;
}

}  // namespace ops
}  // namespace giza
