// Transposed convolution by the passes of the convolution that it transposes.
#include "tensor/ops/conv_transpose2d.h"

#include "tensor/base/check.h"

namespace giza::ops {
namespace {

Conv2dOptions convolution_of(const ConvTranspose2dOptions& o) {
  // As many as the convolution leaves over at its end.
  check(o.stride >= 1 && o.padding >= 0 && o.dilation >= 1 && o.output_padding >= 0 && o.output_padding < o.stride,
        "conv_transpose2d: stride {}, padding {}, output padding {}, dilation {}", o.stride, o.padding,
        o.output_padding, o.dilation);
  return {.stride = o.stride, .padding = o.padding, .dilation = o.dilation, .engine = o.engine};
}

Shape output_shape(const Shape& x, const Shape& w, const ConvTranspose2dOptions& o) {
  check(x.rank() == 4 && w.rank() == 4 && x[3] == w[0], "conv_transpose2d: x {} by weight {}", x, w);
  return {x[0], conv_transpose_output_size(x[1], w[1], o), conv_transpose_output_size(x[2], w[2], o), w[3]};
}

}  // namespace

int64_t conv_transpose_output_size(int64_t in, int64_t kernel, const ConvTranspose2dOptions& o) {
  const int64_t out = (in - 1) * o.stride - 2 * o.padding + o.dilation * (kernel - 1) + 1 + o.output_padding;
  check(in >= 1 && out >= 1, "conv_transpose2d: kernel {} with stride {} and padding {} makes {} of size {}", kernel,
        o.stride, o.padding, out, in);
  return out;
}

Tensor conv_transpose2d(const Tensor& x, const Tensor& w, const ConvTranspose2dOptions& options) {
  const Conv2dOptions convolution = convolution_of(options);
  return conv2d_backward_input(x, w, output_shape(x.shape(), w.shape(), options), convolution);
}

Tensor conv_transpose2d_backward_input(const Tensor& dy, const Tensor& w, const ConvTranspose2dOptions& options) {
  return conv2d(dy, w, {}, convolution_of(options));
}

Tensor conv_transpose2d_backward_weight(const Tensor& x, const Tensor& dy, const Shape& w_shape,
                                        const ConvTranspose2dOptions& options) {
  const Shape expected = output_shape(x.shape(), w_shape, options);
  check(dy.shape() == expected, "conv_transpose2d_backward_weight: dy {}, expected {}", dy.shape(), expected);
  return conv2d_backward_weight(dy, x, w_shape, convolution_of(options));
}

}  // namespace giza::ops
