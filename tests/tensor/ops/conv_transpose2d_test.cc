// Transposed convolution and flattening against the oracle.
#include "tensor/ops/conv_transpose2d.h"

#include "tensor/ops/flatten.h"
#include "tests/support/op_testing.h"

namespace giza {
namespace {

using oracle::Array;

TEST_CASE("conv_transpose2d: every target and layout") {
  for (const OpCase& row : op_cases("conv_transpose2d")) {
    CAPTURE(row.name());
    const uint64_t seed = seed_of(row.name());
    const ops::ConvTranspose2dOptions options{row.stride, row.padding, row.output_padding, row.dilation};
    const oracle::Conv conv{row.stride, row.padding, row.dilation};
    const Shape w_shape = {row.c(), row.kernel_h, row.kernel_w, row.k};
    const Shape y_shape = {row.n, ops::conv_transpose_output_size(row.h, row.kernel_h, options),
                           ops::conv_transpose_output_size(row.w, row.kernel_w, options), row.k};
    const Tensor x = make_numbers(row.input(), row.data, seed), w = make_numbers(w_shape, CaseData::integer, seed + 1),
                 dy = make_numbers(y_shape, CaseData::integer, seed + 2);
    const bool finite = row.data != CaseData::nan;
    const Array y = oracle::conv_transpose2d(Array(x), Array(w), y_shape, conv),
                dx = oracle::conv_transpose2d_backward_input(Array(dy), Array(w), row.input(), conv),
                dw = oracle::conv_transpose2d_backward_weight(Array(x), Array(dy), w_shape, conv);
    for_each_setting([&](Layout layout) {
      const Placed input(x, layout), gradient(dy, layout);
      if (finite) CHECK_SAME(differs(ops::conv_transpose2d(input, w, options), y, 1e-6));
      CHECK_SAME(differs(ops::conv_transpose2d_backward_input(gradient, w, options), dx, 1e-6));
      if (finite)
        CHECK_SAME(differs(ops::conv_transpose2d_backward_weight(input, gradient, w_shape, options), dw, 1e-6));
      CHECK(input.intact());
      CHECK(gradient.intact());
    });
  }
}

TEST_CASE("conv_transpose2d: sizes as PyTorch's, and what it refuses") {
  // torch.nn.ConvTranspose2d(1, 1, kernel, stride, padding, output_padding, dilation=dilation), PyTorch 2.13.
  CHECK(ops::conv_transpose_output_size(4, 64, {.stride = 32}) == 160);
  CHECK(ops::conv_transpose_output_size(7, 4, {.stride = 2, .padding = 1}) == 14);
  CHECK(ops::conv_transpose_output_size(7, 3, {.stride = 2, .padding = 1, .output_padding = 1}) == 14);
  CHECK(ops::conv_transpose_output_size(5, 3, {.stride = 2, .padding = 2, .output_padding = 1, .dilation = 2}) == 10);
  CHECK_THROWS_AS(ops::conv_transpose_output_size(1, 2, {.stride = 2, .padding = 1}), ShapeError);
  const Tensor x = Tensor::zeros({1, 3, 3, 8});
  CHECK_SHAPE_ERROR(ops::conv_transpose2d(x, Tensor::zeros({9, 4, 4, 2}), {}), "[1,3,3,8]", "[9,4,4,2]");
  CHECK_THROWS_AS(ops::conv_transpose2d(x, Tensor::zeros({8, 4, 4, 2}), {.stride = 2, .output_padding = 2}),
                  ShapeError);
  CHECK_SHAPE_ERROR(ops::conv_transpose2d_backward_weight(x, Tensor::zeros({1, 9, 8, 2}), {8, 4, 4, 2}, {}),
                    "[1,9,8,2]", "[1,8,8,2]");
}

TEST_CASE("flatten: every layout, there and back") {
  for (const OpCase& row : op_cases("flatten")) {
    CAPTURE(row.name());
    const Tensor x = make_numbers(row.input(), row.data, seed_of(row.name()));
    const Array expected = oracle::flatten(Array(x));
    for_each_setting([&](Layout layout) {
      const Placed input(x, layout);
      const Tensor y = ops::flatten(input);
      CHECK_SAME(differs_exactly(y, expected));
      CHECK_SAME(differs_exactly(ops::flatten_backward(Placed(y, layout), row.input()), Array(x)));
      CHECK(input.intact());
    });
    CHECK_SAME(differs_between_threads([&] { return std::vector<Tensor>{ops::flatten(x)}; }));
  }
  CHECK_SHAPE_ERROR(ops::flatten_backward(Tensor::zeros({2, 8}), {2, 3, 1, 3}), "[2,8]", "[2,3,1,3]");
}

}  // namespace
}  // namespace giza
