// Fully connected layer: a 1x1 convolution on 1x1 pictures.
#include "tensor/ops/linear.h"

#include "tensor/base/check.h"
#include "tensor/ops/conv2d.h"

namespace giza::ops {
namespace {

void check_matrix(const char* op, const char* name, const Tensor& t) {
  check(t.rank() == 2, "{}: {} {} is not a matrix", op, name, t.shape());
}

Tensor as_picture(const Tensor& t) { return t.reshape({t.dim(0), 1, 1, t.dim(1)}); }
Tensor as_matrix(const Tensor& t) { return t.reshape({t.dim(0), t.dim(3)}); }

}  // namespace

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias) {
  check_matrix("linear", "x", x);
  check_matrix("linear", "weight", w);
  check(x.dim(1) == w.dim(1), "linear: weight {} expects {} inputs, x is {}", w.shape(), w.dim(1), x.shape());
  check(!bias.defined() || bias.shape() == Shape{w.dim(0)}, "linear: bias {} for weight {}", bias.shape(), w.shape());
  return as_matrix(conv2d(as_picture(x), as_picture(w), bias, {}));
}

Tensor linear_backward_input(const Tensor& dy, const Tensor& w) {
  check_matrix("linear_backward_input", "dy", dy);
  check_matrix("linear_backward_input", "weight", w);
  check(dy.dim(1) == w.dim(0), "linear_backward_input: dy {} for weight {}", dy.shape(), w.shape());
  return as_matrix(conv2d_backward_input(as_picture(dy), as_picture(w), {dy.dim(0), 1, 1, w.dim(1)}, {}));
}

Tensor linear_backward_weight(const Tensor& x, const Tensor& dy) {
  check_matrix("linear_backward_weight", "x", x);
  check_matrix("linear_backward_weight", "dy", dy);
  check(x.dim(0) == dy.dim(0), "linear_backward_weight: x {} for dy {}", x.shape(), dy.shape());
  return as_matrix(conv2d_backward_weight(as_picture(x), as_picture(dy), {dy.dim(1), 1, 1, x.dim(1)}, {}));
}

}  // namespace giza::ops
