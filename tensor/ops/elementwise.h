// Element by element: ReLU, sum, scaling, and the small reductions that gradients need. Any shape; rows may be padded.
#pragma once

#include "tensor/tensor.h"

namespace giza::ops {

/// max(x, 0); NaN stays NaN.
Tensor relu(const Tensor& x);
/// dy where y > 0, else 0. y is the output of relu.
Tensor relu_backward(const Tensor& dy, const Tensor& y);

/// a + b of one shape. Throws ShapeError if they differ.
Tensor add(const Tensor& a, const Tensor& b);
/// a += b in place.
void add_into(const Tensor& a, const Tensor& b);
/// The larger of a and b, of one shape; NaN where one is. Throws ShapeError if shapes differ.
Tensor maximum(const Tensor& a, const Tensor& b);
/// The gradient goes to the larger, to the first of equals.
struct MaximumGradients {
  Tensor a, b;
};
MaximumGradients maximum_backward(const Tensor& dy, const Tensor& a, const Tensor& b);
/// x * factor.
Tensor scale(const Tensor& x, float factor);

/// Sum over rows: [.., C] -> [C], in double, in a fixed tree (gradient of a bias).
Tensor sum_rows(const Tensor& x);
/// True if every element is finite.
bool all_finite(const Tensor& x);

}  // namespace giza::ops
