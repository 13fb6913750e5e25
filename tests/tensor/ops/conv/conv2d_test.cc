// Convolution and linear layers against the double oracle: every SIMD target, layout, backend and thread count.
#include "tensor/ops/conv2d.h"

#include <algorithm>
#include <cmath>

#include "tensor/ops/linear.h"
#include "tests/support/op_testing.h"
#include "tests/support/skip.h"

// Of the OpenMP library that oneDNN brings along.
extern "C" [[gnu::weak]] int omp_get_max_threads();

namespace giza {
namespace {

using oracle::Array;

Array absolute(const Array& a) {
  return oracle::map(a, [](double v) { return std::abs(v); });
}

/// An oracle's result with the bounds of the standards: 2^-24 (2 sqrt(K) + 4) sum |ab| of each element for sums of K
/// products, and a relative L2 error of 1e-6 max(1, sqrt(K) / 64). Sums of integers are exact.
struct Expected {
  Array values, bound;
  double relative = 0;
  bool exact = false;

  Expected(Array result, const Array& absolutes, int64_t terms, bool is_exact)
      : values(std::move(result)), exact(is_exact) {
    const double root = std::sqrt(static_cast<double>(terms));
    bound = oracle::map(absolutes, [&](double v) { return 0x1p-24 * (2 * root + 4) * v; });
    relative = 1e-6 * std::max(1.0, root / 64);
  }

  std::string differs_from(const Tensor& actual, ConvBackend backend = ConvBackend::native) const {
    if (exact) return differs_exactly(actual, values);
    const std::string by_element = differs_by_element(actual, values, bound);
    // oneDNN adds thousands of products in a row, on AVX2 with 1.06 times the error that is allowed to us.
    const double allowed = backend == ConvBackend::onednn ? 1.25 * relative : relative;
    return by_element.empty() ? differs(actual, values, allowed) : by_element;
  }
};

struct ConvProblem {
  OpCase row;
  Tensor x, w, bias, dy;
  Expected y, dx, dw;

  static ConvProblem make(const OpCase& row) {
    const uint64_t seed = seed_of(row.name());
    // A NaN or an infinity is in x, and for dx in dy; the weights stay finite.
    const CaseData weights = row.data == CaseData::integer ? CaseData::integer : CaseData::normal;
    const Tensor x = make_numbers(row.input(), row.data, seed), w = make_numbers(row.weight(), weights, seed + 1);
    const Tensor bias = row.bias ? make_numbers({row.k}, weights, seed + 2) : Tensor();
    const Tensor dy = make_numbers(row.output(), row.data, seed + 3);
    const oracle::Conv conv{row.stride, row.padding, row.dilation};
    const Array ox(x), ow(w), ody(dy), obias = row.bias ? Array(bias) : Array();
    const Array ax = absolute(ox), aw = absolute(ow), ady = absolute(ody), abias = absolute(obias);
    const bool exact = row.data == CaseData::integer;
    const int64_t taps = row.kernel_h * row.kernel_w;
    return {row,
            x,
            w,
            bias,
            dy,
            {oracle::conv2d(ox, ow, obias, conv), oracle::conv2d(ax, aw, abias, conv), taps * row.c(), exact},
            {oracle::conv2d_backward_input(ody, ow, row.input(), conv),
             oracle::conv2d_backward_input(ady, aw, row.input(), conv), taps * row.k, exact},
            {oracle::conv2d_backward_weight(ox, ody, row.weight(), conv),
             oracle::conv2d_backward_weight(ax, ady, row.weight(), conv), dy.rows(), exact}};
  }

  void check(ConvBackend backend, Layout layout) const {
    Conv2dOptions options = row.conv(backend);
    options.engine.algorithm = ConvAlgorithm::direct;
    const Placed input(x, layout), gradient(dy, layout);
    {
      INFO("forward");
      CHECK_SAME(y.differs_from(ops::conv2d(input, w, bias, options), backend));
    }
    {
      INFO("backward, input");
      CHECK_SAME(dx.differs_from(ops::conv2d_backward_input(gradient, w, row.input(), options), backend));
    }
    {
      INFO("backward, weight");
      CHECK_SAME(dw.differs_from(ops::conv2d_backward_weight(input, gradient, row.weight(), options), backend));
    }
    CHECK(input.intact());
    CHECK(gradient.intact());
  }
};

TEST_CASE("conv2d: native and direct, every target and layout") {
  int turn = 0;
  for (const OpCase& row : op_cases("conv2d")) {
    CAPTURE(row.name());
    const ConvProblem problem = ConvProblem::make(row);
    // A layout per case and target in turn: each meets all, at a third of the time.
    for_each_target([&](const std::string& target) {
      CAPTURE(target);
      const Layout layout = kLayouts[turn++ % 3];
      CAPTURE(static_cast<int>(layout));
      problem.check(ConvBackend::native, layout);
    });
    ++turn;
  }
}

void check_against_oracle(ConvBackend backend) {
  int turn = 0;
  for (const OpCase& row : op_cases("conv2d")) {
    CAPTURE(row.name());
    ConvProblem::make(row).check(backend, kLayouts[turn++ % 3]);
  }
}

TEST_CASE("conv2d: the reference agrees with the oracle") { check_against_oracle(ConvBackend::reference); }

TEST_CASE("conv2d: oneDNN agrees with the oracle" * doctest::test_suite("needs oneDNN")) {
  if (!onednn_available()) return skip_test("built without oneDNN");
  check_against_oracle(ConvBackend::onednn);
}

TEST_CASE("conv2d: oneDNN computes on as many threads as giza" * doctest::test_suite("needs oneDNN")) {
  if (!onednn_available()) return skip_test("built without oneDNN");
  if (omp_get_max_threads == nullptr) return skip_test("oneDNN's threads are not OpenMP's");
  for (const int threads : {1, 3, 2}) {
    const ThreadScope scope(threads);
    ops::conv2d(Tensor::zeros({1, 4, 4, 8}), Tensor::zeros({8, 3, 3, 8}), {},
                {.engine = {.backend = ConvBackend::onednn}});
    CHECK(omp_get_max_threads() == threads);
  }
}

TEST_CASE("conv2d: Eigen agrees with the oracle" * doctest::test_suite("needs Eigen")) {
  if (!eigen_available()) return skip_test("built without Eigen");
  check_against_oracle(ConvBackend::eigen);
}

void check_same_bits(ConvBackend backend, const OpCase& row) {
  CAPTURE(row.name());
  const uint64_t seed = seed_of(row.name());
  const Tensor x = make_numbers(row.input(), row.data, seed), w = make_numbers(row.weight(), row.data, seed + 1);
  const Tensor dy = make_numbers(row.output(), row.data, seed + 2);
  CHECK_SAME(differs_between_threads([&] {
    return std::vector<Tensor>{ops::conv2d(x, w, {}, row.conv(backend)),
                               ops::conv2d_backward_input(dy, w, row.input(), row.conv(backend)),
                               ops::conv2d_backward_weight(x, dy, row.weight(), row.conv(backend))};
  }));
}

TEST_CASE("conv2d: the same bits at 1, 2 and 3 threads") {
  for (const OpCase& row : op_cases("conv2d")) check_same_bits(ConvBackend::native, row);
}

// oneDNN answers for itself; Eigen runs in our tasks.
TEST_CASE("conv2d: Eigen's bits are the same at 1, 2 and 3 threads" * doctest::test_suite("needs Eigen")) {
  if (!eigen_available()) return skip_test("built without Eigen");
  for (const OpCase& row : op_cases("conv2d")) {
    if (row.kernel_h == 1) check_same_bits(ConvBackend::eigen, row);
  }
}

TEST_CASE("conv2d: messages show both shapes") {
  const Tensor x = Tensor::zeros({1, 7, 7, 3}), w = Tensor::zeros({8, 3, 3, 3}), dy = Tensor::zeros({1, 5, 5, 8});
  CHECK_SHAPE_ERROR(ops::conv2d(x, Tensor::zeros({8, 3, 3, 4}), {}, {}), "[1,7,7,3]", "[8,3,3,4]");
  CHECK_SHAPE_ERROR(ops::conv2d(x, w, Tensor::zeros({7}), {}), "[7]", "8");
  CHECK_SHAPE_ERROR(ops::conv2d(Tensor::zeros({7, 3}), w, {}, {}), "[7,3]", "conv2d");
  CHECK_SHAPE_ERROR(ops::conv2d(x, Tensor::zeros({8, 3}), {}, {}), "[8,3]", "conv2d");
  CHECK_SHAPE_ERROR(ops::conv2d(x, w, {}, {.dilation = 4}), "7", "conv2d");
  CHECK_SHAPE_ERROR(ops::conv2d(x, w, {}, {.stride = 0}), "stride", "0");
  CHECK_SHAPE_ERROR(ops::conv2d(x, w, {}, {.padding = -1}), "padding", "-1");
  CHECK_SHAPE_ERROR(ops::conv2d(x, w, {}, {.dilation = 0}), "dilation", "0");
  CHECK_SHAPE_ERROR(ops::conv2d_backward_input(Tensor::zeros({1, 4, 5, 8}), w, x.shape(), {}), "[1,4,5,8]",
                    "[1,5,5,8]");
  CHECK_SHAPE_ERROR(ops::conv2d_backward_input(dy, w, {1, 7, 7, 4}, {}), "[1,7,7,4]", "[8,3,3,3]");
  CHECK_SHAPE_ERROR(ops::conv2d_backward_weight(x, Tensor::zeros({1, 5, 5, 9}), w.shape(), {}), "[1,5,5,9]",
                    "[8,3,3,3]");
  CHECK_SHAPE_ERROR(ops::conv2d_backward_weight(Tensor::zeros({2, 7, 7, 3}), dy, w.shape(), {}), "[1,5,5,8]",
                    "[2,7,7,3]");
}

TEST_CASE("conv2d: names of backends") {
  CHECK(parse_conv_backend("native") == ConvBackend::native);
  CHECK(parse_conv_backend("reference") == ConvBackend::reference);
  CHECK_THROWS_AS(parse_conv_backend("cudnn"), Refusal);
  if (eigen_available()) {
    const Conv2dOptions eigen{.engine = {.backend = parse_conv_backend("eigen")}};
    CHECK(conv_backend({8, 1, 1, 16}, eigen) == ConvBackend::eigen);
    CHECK(conv_backend({8, 3, 3, 16}, eigen) == ConvBackend::native);
    Conv2dOptions padded = eigen;
    padded.padding = 1;
    CHECK(conv_backend({8, 1, 1, 16}, padded) == ConvBackend::native);
  } else {
    CHECK_THROWS_AS(parse_conv_backend("eigen"), Refusal);
  }
  if (!onednn_available()) CHECK_THROWS_AS(parse_conv_backend("onednn"), Refusal);
}

TEST_CASE("linear: every target and layout") {
  for (const OpCase& row : op_cases("linear")) {
    CAPTURE(row.name());
    const uint64_t seed = seed_of(row.name());
    const Tensor x = make_numbers({row.n, row.c()}, row.data, seed),
                 w = make_numbers({row.k, row.c()}, row.data, seed + 1);
    const Tensor bias = row.bias ? make_numbers({row.k}, row.data, seed + 2) : Tensor();
    const Tensor dy = make_numbers({row.n, row.k}, row.data, seed + 3);
    const Array ox(x), ow(w), ody(dy), obias = row.bias ? Array(bias) : Array();
    const Array ax = absolute(ox), aw = absolute(ow), ady = absolute(ody);
    const bool exact = row.data == CaseData::integer;
    const Expected y(oracle::linear(ox, ow, obias), oracle::linear(ax, aw, absolute(obias)), row.c(), exact);
    const Expected dx(oracle::linear_backward_input(ody, ow), oracle::linear_backward_input(ady, aw), row.k, exact);
    const Expected dw(oracle::linear_backward_weight(ox, ody), oracle::linear_backward_weight(ax, ady), row.n, exact);
    for_each_setting([&](Layout layout) {
      const Placed input(x, layout), gradient(dy, layout);
      CHECK_SAME(y.differs_from(ops::linear(input, w, bias)));
      CHECK_SAME(dx.differs_from(ops::linear_backward_input(gradient, w)));
      CHECK_SAME(dw.differs_from(ops::linear_backward_weight(input, gradient)));
      CHECK(input.intact());
      CHECK(gradient.intact());
    });
    CHECK_SAME(differs_between_threads([&] {
      return std::vector<Tensor>{ops::linear(x, w, bias), ops::linear_backward_input(dy, w),
                                 ops::linear_backward_weight(x, dy)};
    }));
  }
}

TEST_CASE("linear: messages show both shapes") {
  const Tensor x = Tensor::zeros({2, 3}), w = Tensor::zeros({8, 4});
  CHECK_SHAPE_ERROR(ops::linear(x, w, {}), "[2,3]", "[8,4]");
  CHECK_SHAPE_ERROR(ops::linear_backward_input(Tensor::zeros({2, 7}), w), "[2,7]", "[8,4]");
  CHECK_SHAPE_ERROR(ops::linear_backward_weight(x, Tensor::zeros({3, 8})), "[2,3]", "[3,8]");
}

}  // namespace
}  // namespace giza
