// Bilinear resize against the oracle.
#include "tensor/ops/resize.h"

#include "tests/support/op_testing.h"

namespace giza {
namespace {

using oracle::Array;

TEST_CASE("resize_bilinear: every target and layout") {
  for (const OpCase& row : op_cases("resize_bilinear")) {
    CAPTURE(row.name());
    const uint64_t seed = seed_of(row.name());
    const Tensor x = make_numbers(row.input(), row.data, seed);
    const CaseData finite = row.data == CaseData::offset ? CaseData::offset : CaseData::normal;
    const Tensor dy = make_numbers({row.n, row.out_h, row.out_w, row.c()}, finite, seed + 1);
    const Array expected = oracle::resize_bilinear(Array(x), row.out_h, row.out_w, row.align_corners);
    const Array expected_dx = oracle::resize_bilinear_backward(Array(dy), row.input(), row.align_corners);
    for_each_setting([&](Layout layout) {
      const Placed input(x, layout), gradient(dy, layout);
      CHECK_SAME(differs(ops::resize_bilinear(input, row.out_h, row.out_w, row.align_corners), expected, 1e-6));
      CHECK_SAME(differs(ops::resize_bilinear_backward(gradient, row.input(), row.align_corners), expected_dx, 1e-6));
      CHECK(input.intact());
      CHECK(gradient.intact());
    });
    CHECK_SAME(differs_between_threads([&] {
      return std::vector<Tensor>{ops::resize_bilinear(x, row.out_h, row.out_w, row.align_corners),
                                 ops::resize_bilinear_backward(dy, row.input(), row.align_corners)};
    }));
  }
}

TEST_CASE("resize_bilinear: the same size is the same picture, to the bit") {
  const Tensor x = make_numbers({2, 7, 13, 17}, CaseData::normal, 1);
  for_each_target([&](const std::string& target) {
    CAPTURE(target);
    for (bool align_corners : {false, true}) {
      CHECK_SAME(differs_exactly(ops::resize_bilinear(x, 7, 13, align_corners), Array(x)));
      CHECK_SAME(differs_exactly(ops::resize_bilinear_backward(x, x.shape(), align_corners), Array(x)));
    }
  });
}

TEST_CASE("resize_bilinear: messages show both shapes") {
  const Tensor x = Tensor::zeros({1, 7, 7, 8});
  CHECK_SHAPE_ERROR(ops::resize_bilinear(x, 0, 5, true), "0", "resize_bilinear");
  CHECK_SHAPE_ERROR(ops::resize_bilinear(x, 5, -1, false), "-1", "resize_bilinear");
  CHECK_SHAPE_ERROR(ops::resize_bilinear(Tensor::zeros({1, 0, 7, 8}), 3, 3, true), "[1,0,7,8]", "resize_bilinear");
  CHECK_SHAPE_ERROR(ops::resize_bilinear(Tensor::zeros({7, 8}), 3, 3, true), "[7,8]", "resize_bilinear");
  CHECK_SHAPE_ERROR(ops::resize_bilinear_backward(Tensor::zeros({2, 3, 3, 8}), x.shape(), true), "[2,3,3,8]",
                    "[1,7,7,8]");
}

}  // namespace
}  // namespace giza
