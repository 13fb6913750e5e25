// The reference convolution backend: naive loops in double precision, for comparison. Slow by design.
#pragma once

#include "tensor/ops/conv2d.h"

namespace giza::ops::reference {

/// As the ops of the same name in tensor/ops/conv2d.h, after their checks. Every sum is taken in double and rounded
/// once.
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv2dOptions& options);
Tensor conv2d_backward_input(const Tensor& dy, const Tensor& w, const Shape& x_shape, const Conv2dOptions& options);
Tensor conv2d_backward_weight(const Tensor& x, const Tensor& dy, const Shape& w_shape, const Conv2dOptions& options);

/// Single elements of the results above, without bias, before they are rounded to float: row and channel of y
/// [N,P,Q,K], dx [N,height,width,C] and dw [K,kernel_h,kernel_w,C].
double forward_element(const Tensor& x, const Tensor& w, int64_t p, int64_t q, int64_t row, int64_t k,
                       const Conv2dOptions& options);
double backward_input_element(const Tensor& dy, const Tensor& w, int64_t height, int64_t width, int64_t row, int64_t c,
                              const Conv2dOptions& options);
double backward_weight_element(const Tensor& x, const Tensor& dy, int64_t kernel_h, int64_t kernel_w, int64_t row,
                               int64_t c, const Conv2dOptions& options);

}  // namespace giza::ops::reference
