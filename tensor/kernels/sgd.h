// The update of stochastic gradient descent.
#pragma once

#include <cstdint>

namespace giza::kernels {

/// v = momentum v + (g + decay p); p -= rate v, on `count` floats each.
void sgd_step(float* p, float* v, const float* g, int64_t count, float rate, float momentum, float decay);

}  // namespace giza::kernels
