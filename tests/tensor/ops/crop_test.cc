// Cropping, mirrored borders and the largest channel against plain loops.
#include "tensor/ops/crop.h"

#include "tensor/ops/channel_max.h"
#include "tests/support/op_testing.h"

namespace giza {
namespace {

using oracle::Array;

/// OpenCV's borderInterpolate of BORDER_REFLECT_101, one reflection at a time.
int64_t reflect(int64_t i, int64_t size) {
  while (size > 1 && (i < 0 || i >= size)) i = i < 0 ? -i : 2 * (size - 1) - i;
  return size == 1 ? 0 : i;
}

TEST_CASE("crop2d: every layout, there and back") {
  for (const OpCase& row : op_cases("crop2d")) {
    CAPTURE(row.name());
    const int64_t top = row.padding, left = row.padding - 1, h = row.h - 2 * top, w = row.w - 2 * top;
    const Tensor x = make_numbers(row.input(), row.data, seed_of(row.name()));
    const Tensor dy = make_numbers({row.n, h, w, row.c()}, row.data, seed_of(row.name()) + 1);
    const Array all(x), gradient(dy);
    Array y(dy.shape()), dx(x.shape());
    for (int64_t n = 0; n < row.n; ++n) {
      for (int64_t i = 0; i < h * w * row.c(); ++i) {
        const int64_t c = i % row.c(), s = i / row.c() % w, r = i / row.c() / w;
        y.at(n, r, s, c) = all.at(n, top + r, left + s, c);
        dx.at(n, top + r, left + s, c) = gradient.at(n, r, s, c);
      }
    }
    for_each_setting([&](Layout layout) {
      const Placed input(x, layout), back(dy, layout);
      CHECK_SAME(differs_exactly(ops::crop2d(input, top, left, h, w), y));
      CHECK_SAME(differs_exactly(ops::crop2d_backward(back, x.shape(), top, left), dx));
      CHECK(input.intact());
      CHECK(back.intact());
    });
  }
  const Tensor x = Tensor::zeros({1, 4, 6, 3});
  CHECK_SHAPE_ERROR(ops::crop2d(x, 2, 0, 3, 6), "rows 2 to 5", "[1,4,6,3]");
  CHECK_THROWS_AS(ops::crop2d(x, 0, -1, 4, 6), ShapeError);
  CHECK_THROWS_AS(ops::crop2d(x, 0, 0, 0, 6), ShapeError);
  CHECK_THROWS_AS(ops::crop2d(x, 1, 0, INT64_MAX, 6), ShapeError);
  CHECK_SHAPE_ERROR(ops::crop2d_backward(x, {1, 4, 6, 3}, 1, 0), "[1,4,6,3]", "at 1, 0");
}

TEST_CASE("mirror_pad2d: as OpenCV's BORDER_REFLECT_101, for borders beyond the map too") {
  for (const OpCase& row : op_cases("mirror_pad2d")) {
    CAPTURE(row.name());
    const int64_t b = row.padding, h = row.h + 2 * b, w = row.w + 2 * b;
    const Tensor x = make_numbers(row.input(), row.data, seed_of(row.name()));
    const Tensor dy = make_numbers({row.n, h, w, row.c()}, CaseData::integer, seed_of(row.name()) + 1);
    const Array all(x), gradient(dy);
    Array y(dy.shape()), dx(x.shape());
    for (int64_t n = 0; n < row.n; ++n) {
      for (int64_t i = 0; i < h * w * row.c(); ++i) {
        const int64_t c = i % row.c(), s = i / row.c() % w, r = i / row.c() / w;
        y.at(n, r, s, c) = all.at(n, reflect(r - b, row.h), reflect(s - b, row.w), c);
        dx.at(n, reflect(r - b, row.h), reflect(s - b, row.w), c) += gradient.at(n, r, s, c);
      }
    }
    for_each_setting([&](Layout layout) {
      const Placed input(x, layout), back(dy, layout);
      CHECK_SAME(differs_exactly(ops::mirror_pad2d(input, b), y));
      CHECK_SAME(differs_exactly(ops::mirror_pad2d_backward(back, x.shape(), b), dx));
      CHECK(input.intact());
      CHECK(back.intact());
    });
    CHECK_SAME(
        differs_between_threads([&] { return std::vector<Tensor>{ops::mirror_pad2d_backward(dy, x.shape(), b)}; }));
  }
  CHECK_THROWS_AS(ops::mirror_pad2d(Tensor::zeros({1, 4, 6, 3}), -1), ShapeError);
  CHECK_SHAPE_ERROR(ops::mirror_pad2d_backward(Tensor::zeros({1, 4, 6, 3}), {1, 2, 3, 3}, 1), "[1,4,6,3]", "[1,2,3,3]");
}

TEST_CASE("max_channels: every layout; the gradient goes to the first of the largest") {
  for (const OpCase& row : op_cases("max_channels")) {
    CAPTURE(row.name());
    const Tensor x = make_numbers(row.input(), row.data, seed_of(row.name()));
    const Tensor dy = make_numbers(row.input().with(3, 1), CaseData::integer, seed_of(row.name()) + 1);
    const Array all(x);
    Array y(dy.shape()), dx(x.shape());
    for (int64_t i = 0; i < y.size(); ++i) {
      int64_t best = 0;
      for (int64_t c = 0; c < row.c(); ++c) {
        const double v = all[i * row.c() + c], so_far = all[i * row.c() + best];
        if (v > so_far || (v != v && so_far == so_far)) best = c;
      }
      y[i] = all[i * row.c() + best];
      dx[i * row.c() + best] = Array(dy)[i];
    }
    for_each_setting([&](Layout layout) {
      const Placed input(x, layout);
      CHECK_SAME(differs_exactly(ops::max_channels(input), y));
      CHECK_SAME(differs_exactly(ops::max_channels_backward(Placed(dy, layout), input), dx));
      CHECK(input.intact());
    });
  }
  CHECK_SHAPE_ERROR(ops::max_channels_backward(Tensor::zeros({1, 2, 2, 3}), Tensor::zeros({1, 2, 2, 3})), "[1,2,2,3]",
                    "max_channels_backward");
}

}  // namespace
}  // namespace giza
