// Watching a pass: all that it makes, in order, and the first that is not finite.
#include "autograd/watching.h"

#include <limits>
#include <string>
#include <vector>

#include "autograd/functions/functions.h"
#include "autograd/variable.h"
#include "tensor/profile/profile.h"
#include "tests/support/op_testing.h"
#include "tests/support/refusal.h"

namespace giza {
namespace {

using autograd::Variable;

TEST_CASE("Watching: outputs and gradients in the order in which they are made, with op, layer and input") {
  const Variable x(Tensor::full({1, 1, 1, 2}, 2.0F), /*requires_grad=*/true);
  const Variable y(Tensor::full({1, 1, 1, 2}, 3.0F));
  std::vector<std::string> seen;
  const profile::Recording recording;
  const auto note = [&](const autograd::Made& made) {
    seen.push_back(fmt::format("{} {} {} {}", made.op, made.layer, made.input, made.value.data()[0]));
  };
  {
    const autograd::Watching watching(note);
    CHECK(autograd::watched());
    Variable z;
    {
      const profile::Layer layer("head.0");
      z = autograd::scale(autograd::add(x, y), 10.0F);
    }
    autograd::backward(z, Tensor::full(x.shape(), 1.0F));
  }
  CHECK_FALSE(autograd::watched());
  autograd::add(x, y);
  CHECK(seen ==
        std::vector<std::string>{"add head.0 -1 5", "scale head.0 -1 50", "scale head.0 0 10", "add head.0 0 10"});
}

TEST_CASE("Watching: the innermost sees, and what it throws ends the pass") {
  const Variable x(Tensor::full({1, 1, 1, 2}, 2.0F), /*requires_grad=*/true);
  int outer = 0, inner = 0;
  const autograd::Watching watching([&](const autograd::Made&) { ++outer; });
  {
    const autograd::Watching within([&](const autograd::Made&) {
      ++inner;
      throw Error("enough");
    });
    CHECK(message_of<Error>([&] { autograd::add(x, x); }) == "enough");
  }
  autograd::add(x, x);
  CHECK(inner == 1);
  CHECK(outer == 1);
}

TEST_CASE("TraceNonFinite: names the op, or the gradient, that was the first") {
  const float infinity = std::numeric_limits<float>::infinity();
  const Variable x(Tensor::full({1, 1, 1, 2}, 2.0F), /*requires_grad=*/true);
  const autograd::TraceNonFinite trace;
  const Variable sum = autograd::add(x, x);
  CHECK(message_of<autograd::NonFinite>([&] { autograd::scale(sum, infinity); }) ==
        "scale gave NaN or infinity first, in its output [1,1,1,2]");
  const Variable scaled = autograd::scale(sum, 1e30F);
  CHECK(message_of<autograd::NonFinite>([&] { autograd::backward(scaled, Tensor::full(x.shape(), 1e20F)); }) ==
        "the backward pass of scale gave NaN or infinity first, in the gradient of its input 0, [1,1,1,2]");
}

}  // namespace
}  // namespace giza
