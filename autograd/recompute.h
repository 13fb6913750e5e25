// Recomputation in the backward pass: memory for time.
#pragma once

#include <functional>

#include "autograd/variable.h"

namespace giza::autograd {

/// body(x), of which only x is kept: nothing inside is recorded, and the backward pass runs body once more, this time
/// recording, and sweeps that ("Training deep nets with sublinear memory cost", Chen et al., 2016). `body` must compute
/// the same bits both times; `again` tells it that it is run for the second time, when it must leave running statistics
/// alone. Parameters that it reads gather their gradients as ever. Where x needs no gradient, body is recorded as
/// usual.
Variable recompute(const Variable& x, const std::function<Variable(const Variable& x, bool again)>& body);

}  // namespace giza::autograd
