// The SGD step against PyTorch's definition in double.
#include "tensor/ops/sgd.h"

#include "tests/support/op_testing.h"

namespace giza {
namespace {

using oracle::Array;

TEST_CASE("sgd_step: three steps on every target, any length") {
  const ops::SgdOptions options{.learning_rate = 0.1F, .momentum = 0.9F, .weight_decay = 0.01F};
  const double lr = static_cast<double>(options.learning_rate), momentum = static_cast<double>(options.momentum),
               decay = static_cast<double>(options.weight_decay);
  for (int64_t size : {1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 150, 4097}) {
    CAPTURE(size);
    for_each_target([&](const std::string& target) {
      CAPTURE(target);
      const Tensor p = make_numbers({size}, CaseData::normal, 1), v = Tensor::zeros({size});
      Array op(p), ov(v);
      for (uint64_t step = 0; step < 3; ++step) {
        const Tensor g = make_numbers({size}, CaseData::normal, 2 + step);
        ops::sgd_step(p, v, g, options);
        const Array og(g);
        for (int64_t i = 0; i < size; ++i) {
          ov[i] = momentum * ov[i] + og[i] + decay * op[i];
          op[i] -= lr * ov[i];
        }
      }
      CHECK_SAME(differs(p, op, 1e-6));
      CHECK_SAME(differs(v, ov, 1e-6));
    });
  }
  const Tensor p = make_numbers({3, 3, 3, 64}, CaseData::normal, 1),
               g = make_numbers({3, 3, 3, 64}, CaseData::normal, 2);
  CHECK_SAME(differs_between_threads([&] {
    const Tensor q = p.clone(), v = Tensor::zeros(p.shape());
    ops::sgd_step(q, v, g, options);
    return std::vector<Tensor>{q, v};
  }));
}

TEST_CASE("sgd_step: messages show both shapes") {
  const Tensor a = Tensor::zeros({8}), b = Tensor::zeros({9});
  CHECK_SHAPE_ERROR(ops::sgd_step(a, b, a, {}), "[8]", "[9]");
  CHECK_SHAPE_ERROR(ops::sgd_step(a, a, b, {}), "[8]", "[9]");
}

}  // namespace
}  // namespace giza
