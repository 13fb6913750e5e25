// Prepared convolutions against the double oracle: bias, residual and ReLU in one step.
#include "tensor/ops/prepared_conv2d.h"

#include <algorithm>

#include "tests/support/op_testing.h"
#include "tests/support/skip.h"

namespace giza {
namespace {

using oracle::Array;

/// The oracle's results for a row of the table, with bias alone and with residual and ReLU too.
struct PreparedProblem {
  OpCase row;
  Tensor x, w, bias, residual;
  Array plain, rectified;

  explicit PreparedProblem(const char* text)
      : row(OpCase::parse(text)),
        x(make_numbers(row.input(), row.data, 1)),
        w(make_numbers(row.weight(), row.data, 2)),
        bias(make_numbers({row.k}, row.data, 3)),
        residual(make_numbers(row.output(), row.data, 4)),
        plain(oracle::conv2d(Array(x), Array(w), Array(bias), {row.stride, row.padding, row.dilation})),
        rectified(plain) {
    const Array addend(residual);
    for (int64_t i = 0; i < row.output().numel(); ++i) rectified[i] = std::max(0.0, rectified[i] + addend[i]);
  }

  void check(const Conv2dOptions& options, ConvAlgorithm algorithm) const {
    CAPTURE(row.name());
    const ops::PreparedConv2d conv(w, options, algorithm);
    CHECK_SAME(differs(conv(x, {bias, {}, false}), plain, 5e-6));
    for (const Layout layout : kLayouts) {
      const Placed placed(residual, layout);
      CHECK_SAME(differs(conv(x, {bias, placed, true}), rectified, 5e-6));
      CHECK(placed.intact());
    }
  }
};

constexpr const char* kCases[] = {"conv2d n2h13w12c33k40r3", "conv2d n1h15w15c16k150r3d4", "conv2d n1h13w13c150k33r1",
                                  "conv2d n1h13w13c3k16r3s2", "conv2d n1h6w6c520k40r3"};

TEST_CASE("prepared convolution: bias, residual and ReLU in one step, each algorithm") {
  for (const char* text : kCases) {
    const PreparedProblem problem(text);
    for_each_target([&](const std::string& target) {
      CAPTURE(target);
      for (const ConvAlgorithm algorithm :
           {ConvAlgorithm::automatic, ConvAlgorithm::direct, ConvAlgorithm::winograd4}) {
        Conv2dOptions options = problem.row.conv();
        options.engine.algorithm = algorithm;
        const Shape x = problem.row.input(), w = problem.row.weight();
        problem.check(options, ops::plan_conv2d(ConvPass::forward, x, w, options).algorithm);
      }
    });
  }
}

TEST_CASE("prepared convolution: the same by oneDNN" * doctest::test_suite("needs oneDNN")) {
  if (!onednn_available()) return skip_test("built without oneDNN");
  for (const char* text : kCases) {
    const PreparedProblem problem(text);
    problem.check(problem.row.conv(ConvBackend::onednn), ConvAlgorithm::direct);
  }
}

TEST_CASE("prepared convolution: messages show both shapes") {
  const Tensor x = Tensor::zeros({1, 7, 7, 16}), w = Tensor::zeros({8, 3, 3, 16});
  const ops::PreparedConv2d conv(w, {.padding = 1}, ConvAlgorithm::direct);
  CHECK_SHAPE_ERROR(conv(x, {{}, Tensor::zeros({1, 5, 7, 8}), false}), "[1,5,7,8]", "[1,7,7,8]");
  CHECK_SHAPE_ERROR(conv(Tensor::zeros({1, 7, 7, 17}), {}), "[1,7,7,17]", "[8,3,3,16]");
}

}  // namespace
}  // namespace giza
