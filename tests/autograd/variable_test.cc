// The sweep: accumulation, order, freeing, NoGrad, errors, and graphs too deep for recursion.
#include "autograd/variable.h"

#include "autograd/functions/functions.h"
#include "tensor/storage.h"
#include "tests/support/op_testing.h"
#include "tests/support/refusal.h"

namespace giza {
namespace {

using autograd::Variable;
using oracle::Array;

Variable leaf(const Shape& shape, float value, bool requires_grad = true) {
  return Variable(Tensor::full(shape, value), requires_grad);
}

std::string gradient_differs(const Variable& x, double expected) {
  if (!x.grad().defined()) return "no gradient";
  return differs_exactly(x.grad(), Array(x.shape(), expected));
}

TEST_CASE("backward: a variable used several times gathers all its gradients") {
  const Variable x = leaf({1, 2, 2, 3}, 1.0F);
  const Variable y = autograd::add(autograd::scale(x, 3.0F), autograd::add(x, x));
  autograd::backward(autograd::add(y, autograd::scale(y, 2.0F)), Tensor::full(x.shape(), 1.0F));
  CHECK_SAME(gradient_differs(x, 15));
}

TEST_CASE("backward: gradients of several sweeps add up until zero_grad") {
  Variable x = leaf({4}, 1.0F);
  const Tensor one = Tensor::full({4}, 1.0F);
  CHECK_FALSE(x.grad().defined());
  autograd::backward(autograd::scale(x, 2.0F), one);
  const Tensor first = x.grad();
  autograd::backward(autograd::scale(x, 5.0F), one);
  CHECK_SAME(gradient_differs(x, 7));
  CHECK_SAME(differs_exactly(first, Array({4}, 2)));  // a handle given out before keeps its numbers
  CHECK_SAME(differs_exactly(one, Array({4}, 1)));
  x.zero_grad();
  CHECK_FALSE(x.grad().defined());
  autograd::backward(autograd::scale(x, 5.0F), one);
  CHECK_SAME(gradient_differs(x, 5));
}

TEST_CASE("backward: gradients that share memory are not added into each other") {
  // add() hands the same dy to both inputs; a gets more afterwards, b must not see it.
  const Variable a = leaf({4}, 1.0F), b = leaf({4}, 1.0F);
  const Variable sum = autograd::add(a, b);
  autograd::backward(autograd::add(sum, autograd::scale(a, 10.0F)), Tensor::full({4}, 1.0F));
  CHECK_SAME(gradient_differs(a, 11));
  CHECK_SAME(gradient_differs(b, 1));
  autograd::backward(autograd::scale(a, 1.0F), Tensor::full({4}, 1.0F));
  CHECK_SAME(gradient_differs(a, 12));
  CHECK_SAME(gradient_differs(b, 1));
}

TEST_CASE("backward: only what requires a gradient gets one") {
  const Variable x = leaf({4}, 1.0F), data = leaf({4}, 2.0F, false);
  const Variable y = autograd::add(x, data);
  CHECK(y.requires_grad());
  CHECK_FALSE(autograd::add(data, data).requires_grad());
  autograd::backward(autograd::add(y, y.detach()), Tensor::full({4}, 1.0F));
  CHECK_SAME(gradient_differs(x, 1));
  CHECK_FALSE(data.grad().defined());
  CHECK_FALSE(y.detach().requires_grad());
}

TEST_CASE("NoGrad: no graph inside, nested and after an exception") {
  const Variable x = leaf({4}, 1.0F);
  CHECK(autograd::grad_enabled());
  {
    const autograd::NoGrad outer;
    {
      const autograd::NoGrad inner;
      CHECK_FALSE(autograd::grad_enabled());
    }
    CHECK_FALSE(autograd::grad_enabled());
    CHECK_FALSE(autograd::scale(x, 2.0F).requires_grad());
  }
  CHECK(autograd::grad_enabled());
  try {
    const autograd::NoGrad no_grad;
    throw ShapeError("leave");
  } catch (const ShapeError&) {
  }
  CHECK(autograd::grad_enabled());
  CHECK(autograd::scale(x, 2.0F).requires_grad());
}

TEST_CASE("backward: errors") {
  const Variable x = leaf({4}, 1.0F);
  CHECK_THROWS_AS(autograd::backward(Variable()), Error);
  CHECK_THROWS_AS(autograd::backward(leaf({1}, 1.0F, false)), Error);
  const Variable y = autograd::scale(x, 2.0F);
  CHECK_SHAPE_ERROR(autograd::backward(y), "[4]", "seed");
  CHECK_SHAPE_ERROR(autograd::backward(y, Tensor::zeros({5})), "[4]", "[5]");
  autograd::backward(y, Tensor::zeros({4}));
  CHECK(contains(message_of<Error>([&] { autograd::backward(y, Tensor::zeros({4})); }), "scale was swept before"));
  // A graph that shares a swept part cannot be swept either.
  const Variable shared = autograd::scale(x, 2.0F);
  const Variable left = autograd::scale(shared, 2.0F), right = autograd::scale(shared, 2.0F);
  autograd::backward(left, Tensor::zeros({4}));
  CHECK(contains(message_of<Error>([&] { autograd::backward(right, Tensor::zeros({4})); }), "scale was swept before"));
  const Variable wrong = Variable::from_op(Tensor::zeros({4}), "wrong", {x},
                                           [](const Tensor&) { return std::vector<Tensor>{Tensor::zeros({3})}; });
  std::string message;
  try {
    autograd::backward(wrong, Tensor::zeros({4}));
  } catch (const Error& error) {
    message = error.what();
  }
  CHECK(message.find("wrong") != std::string::npos);
  CHECK(message.find("[3]") != std::string::npos);
  CHECK(message.find("[4]") != std::string::npos);
  const Variable missing =
      Variable::from_op(Tensor::zeros({4}), "missing", {x}, [](const Tensor&) { return std::vector<Tensor>(1); });
  CHECK_THROWS_AS(autograd::backward(missing, Tensor::zeros({4})), Error);
  CHECK_THROWS_AS(Variable(y).set_requires_grad(false), Error);
}

TEST_CASE("set_value: in place, seen by all copies, of the same shape only") {
  Variable x = leaf({4}, 1.0F);
  const Variable copy = x;
  x.set_value(Tensor::full({4}, 3.0F));
  CHECK_SAME(differs_exactly(copy.value(), Array({4}, 3)));
  CHECK_THROWS_AS(x.set_value(Tensor::zeros({5})), ShapeError);
}

TEST_CASE("backward: what a node saved is freed as the sweep passes") {
  const Shape shape{1 << 12, 16};
  constexpr int64_t kBytes = (1 << 16) * 4;
  constexpr int kDepth = 64;
  const int64_t before = arena_statistics().in_use;
  const Variable x = leaf(shape, 1.0F);
  Variable y = x;
  for (int i = 0; i < kDepth; ++i) y = autograd::relu(y);  // each keeps its output
  CHECK(arena_statistics().in_use >= before + kDepth * kBytes);
  // Looks at the memory in use when the sweep reaches the node in the middle and the first one.
  std::vector<int64_t> seen;
  const Variable z = leaf(shape, 1.0F);
  auto probe = [&](const Variable& in) {
    return Variable::from_op(in.value(), "probe", {in}, [&seen](const Tensor& dy) {
      seen.push_back(arena_statistics().in_use);
      return std::vector<Tensor>{dy};
    });
  };
  y = probe(z);
  for (int i = 0; i < kDepth; ++i) y = autograd::relu(y);
  y = probe(y);
  const Tensor seed = Tensor::full(shape, 1.0F);
  const int64_t full = arena_statistics().in_use;
  const Variable root = std::exchange(y, Variable());
  autograd::backward(root, seed);
  REQUIRE(seen.size() == 2);
  CHECK(seen[0] >= full);
  // At the first node only the root's value, the leaf, and a gradient or two are left of 64 saved outputs.
  CHECK(seen[1] <= full - (kDepth - 4) * kBytes);
}

TEST_CASE("backward: after it, only gradients remain, and the peak does not hold two copies of the graph") {
  const Shape shape{1 << 12, 16};
  constexpr int64_t kBytes = (1 << 16) * 4;
  const Variable x = leaf(shape, 1.0F);
  const int64_t before = arena_statistics().in_use;
  {
    Variable y = x;
    for (int i = 0; i < 64; ++i) y = autograd::relu(y);
    const Tensor seed = Tensor::full(shape, 1.0F);
    const int64_t full = arena_statistics().in_use;
    reset_arena_peak();
    autograd::backward(y, seed);
    CHECK(arena_statistics().peak <= full + 3 * kBytes);
  }
  CHECK(arena_statistics().in_use == before + kBytes);
}

constexpr int kDeep = 100'000;

TEST_CASE("deep chains do not overflow the stack: swept") {
  const Variable x = leaf({1}, 1.0F);
  Variable y = x;
  for (int i = 0; i < kDeep; ++i) y = autograd::scale(y, 1.0F);
  autograd::backward(y);
  CHECK_SAME(gradient_differs(x, 1));
}

TEST_CASE("deep chains do not overflow the stack: dropped without a sweep") {
  const int64_t before = arena_statistics().in_use;
  {
    Variable y = leaf({1}, 1.0F);
    for (int i = 0; i < kDeep; ++i) y = autograd::scale(y, 1.0F);
  }
  CHECK(arena_statistics().in_use == before);
  {  // each node twice an input of the next
    Variable y = leaf({1}, 1.0F);
    for (int i = 0; i < kDeep; ++i) y = autograd::add(y, y);
  }
  CHECK(arena_statistics().in_use == before);
  {  // residual blocks: one input is also reached by another way
    Variable y = leaf({1}, 1.0F);
    for (int i = 0; i < kDeep; ++i) y = autograd::add(autograd::scale(y, 0.5F), y);
  }
  CHECK(arena_statistics().in_use == before);
}

TEST_CASE("deep chains do not overflow the stack: residual blocks, swept") {
  const Variable x = leaf({1}, 1.0F);
  Variable y = x;
  for (int i = 0; i < kDeep; ++i) y = autograd::add(autograd::scale(y, 0.0F), y);
  autograd::backward(y);
  CHECK_SAME(gradient_differs(x, 1));
}

}  // namespace
}  // namespace giza
