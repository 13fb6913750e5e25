// One step of stochastic gradient descent on one tensor.
#pragma once

#include "tensor/tensor.h"

namespace giza::ops {

struct SgdOptions {
  float learning_rate = 0.01F;
  float momentum = 0.9F;
  float weight_decay = 1e-4F;
};

/// In one pass: v = momentum v + (g + weight_decay p); p -= learning_rate v. PyTorch's SGD without dampening or
/// Nesterov; v is zero before the first step. All dense and of one shape. Throws ShapeError otherwise.
void sgd_step(const Tensor& p, const Tensor& v, const Tensor& g, const SgdOptions& options);

}  // namespace giza::ops
