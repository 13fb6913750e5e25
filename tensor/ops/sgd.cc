// One step of stochastic gradient descent on one tensor.
#include "tensor/ops/sgd.h"

#include "tensor/base/check.h"
#include "tensor/kernels/sgd.h"
#include "tensor/parallel.h"
#include "tensor/profile/profile.h"

namespace giza::ops {

void sgd_step(const Tensor& p, const Tensor& v, const Tensor& g, const SgdOptions& options) {
  check(p.shape() == v.shape() && p.shape() == g.shape(), "sgd: parameter {}, velocity {}, gradient {}", p.shape(),
        v.shape(), g.shape());
  check(p.dense() && v.dense() && g.dense(), "sgd: parameter, velocity and gradient {} must be dense", p.shape());
  // Three multiply-adds; p and v are read and written.
  const profile::Scope scope([&] { return profile::elementwise("sgd_step", 6, p, p, v, v, g); });
  parallel_ranges(p.numel(), int64_t{1} << 15, [&](int64_t begin, int64_t end) {
    kernels::sgd_step(p.data() + begin, v.data() + begin, g.data() + begin, end - begin, options.learning_rate,
                      options.momentum, options.weight_decay);
  });
}

}  // namespace giza::ops
