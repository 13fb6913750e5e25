// The structured convolution over a feature map and pyramid maps: against the oracle of the plain way (upsample,
// concatenate, convolve) in double.
#include "tensor/ops/pyramid_conv.h"

#include "tensor/kernels/pyramid_conv.h"
#include "tensor/ops/concat.h"
#include "tensor/ops/resize.h"
#include "tests/support/op_testing.h"

namespace giza {
namespace {

using oracle::Array;

struct Case {
  int64_t n, h, w, c;  // feature map
  std::vector<int64_t> bins;
  int64_t map_channels, k;
  int64_t kernel_h = 3, kernel_w = 3;
  Conv2dOptions options = {.padding = 1};
  CaseData data = CaseData::normal;

  std::string name() const {
    std::string text = fmt::format("n{}h{}w{}c{}k{}r{}x{}s{}d{}p{} maps of {}:", n, h, w, c, k, kernel_h, kernel_w,
                                   options.stride, options.dilation, options.padding, map_channels);
    for (int64_t bin : bins) text += fmt::format(" {}", bin);
    return text;
  }
  Shape weight() const { return {k, kernel_h, kernel_w, c + map_channels * static_cast<int64_t>(bins.size())}; }
};

const std::vector<Case>& cases() {
  static const std::vector<Case> list = {
      {1, 13, 13, 8, {1, 2, 3, 6}, 8, 16},
      {2, 7, 13, 9, {1, 2, 3, 6}, 3, 17},
      {3, 3, 2, 7, {2, 7}, 5, 9},  // bins larger than the map
      {1, 1, 1, 1, {1}, 1, 1},     // one of everything
      {2, 1, 7, 3, {1, 3}, 3, 8},  // a map of one row
      {0, 5, 5, 3, {1, 2}, 3, 4},  // no picture
      {1, 31, 31, 16, {1, 2, 3, 6}, 16, 33},
      {1, 9, 9, 15, {2, 5}, 33, 150},  // columns in wide and single vectors, and a tail
      {1, 7, 7, 31, {3}, 150, 7},      // sums longer than a block of the product
      {1, 60, 61, 1, {1, 6}, 2, 3},
      {2, 13, 7, 3, {1, 4}, 7, 5, 3, 3, {.padding = 2, .dilation = 2}},
      {1, 7, 7, 3, {1, 2}, 7, 5, 3, 3, {.padding = 12, .dilation = 12}},  // only the middle tap is inside
      {1, 13, 13, 3, {2, 3}, 4, 5, 3, 3, {.stride = 2, .padding = 1}},
      {1, 9, 8, 3, {2, 3}, 4, 5, 1, 1, {}},
      {1, 9, 8, 3, {2, 3}, 4, 5, 5, 2, {.padding = 2}},
      {1, 59, 59, 3, {1, 2, 3, 6}, 4, 150},
      {1, 13, 13, 5, {1, 2, 3, 6}, 8, 16, 3, 3, {.padding = 1}, CaseData::offset},
  };
  return list;
}

struct Problem {
  Tensor x, w, dy;
  std::vector<Tensor> maps;
  Array joined, plain;  // the concatenated input in double, and the plain convolution

  explicit Problem(const Case& c) {
    const uint64_t seed = seed_of(c.name());
    x = make_numbers({c.n, c.h, c.w, c.c}, c.data, seed);
    w = make_numbers(c.weight(), c.data == CaseData::integer ? CaseData::integer : CaseData::normal, seed + 1);
    std::vector<Array> parts = {Array(x)};
    for (int64_t bin : c.bins) {
      maps.push_back(make_numbers({c.n, bin, bin, c.map_channels}, c.data, seed + 2 + static_cast<uint64_t>(bin)));
      parts.push_back(oracle::resize_bilinear(Array(maps.back()), c.h, c.w, /*align_corners=*/true));
    }
    joined = oracle::concat_channels(parts);
    if (c.n == 0) {
      plain = Array({0, ops::conv_output_size(c.h, c.kernel_h, c.options),
                     ops::conv_output_size(c.w, c.kernel_w, c.options), c.k});
    } else {
      plain = oracle::conv2d(joined, Array(w), {}, conv(c));
    }
    dy = make_numbers(plain.shape, c.data == CaseData::integer ? CaseData::integer : CaseData::normal, seed + 1000);
  }
  static oracle::Conv conv(const Case& c) { return {c.options.stride, c.options.padding, c.options.dilation}; }
};

struct Expected {
  Array x, w;
  std::vector<Array> maps;

  Expected(const Case& c, const Problem& p) {
    const Array joined = oracle::conv2d_backward_input(Array(p.dy), Array(p.w), p.joined.shape, Problem::conv(c));
    w = oracle::conv2d_backward_weight(p.joined, Array(p.dy), p.w.shape(), Problem::conv(c));
    x = oracle::channel_slice(joined, 0, c.c);
    for (size_t b = 0; b < p.maps.size(); ++b) {
      const int64_t begin = c.c + static_cast<int64_t>(b) * c.map_channels;
      maps.push_back(oracle::resize_bilinear_backward(oracle::channel_slice(joined, begin, begin + c.map_channels),
                                                      p.maps[b].shape(), /*align_corners=*/true));
    }
  }
};

constexpr double kBound = 1e-6;

TEST_CASE("pyramid_conv: every target and layout") {
  for (const Case& c : cases()) {
    CAPTURE(c.name());
    const Problem p(c);
    const Expected expected(c, p);
    for_each_setting([&](Layout layout) {
      const Placed x(p.x, layout), dy(p.dy, layout);
      std::vector<Placed> placed;
      for (const Tensor& map : p.maps) placed.emplace_back(map, layout);
      const std::vector<Tensor> maps(placed.begin(), placed.end());
      CHECK_SAME(differs(ops::pyramid_conv(x, maps, p.w, c.options), p.plain, kBound));
      const ops::PyramidConvGradients gradients = ops::pyramid_conv_backward(dy, x, maps, p.w, c.options);
      CHECK_SAME(differs(gradients.x, expected.x, kBound));
      CHECK_SAME(differs(gradients.w, expected.w, kBound));
      REQUIRE(gradients.maps.size() == maps.size());
      for (size_t b = 0; b < maps.size(); ++b) CHECK_SAME(differs(gradients.maps[b], expected.maps[b], kBound));
      CHECK(x.intact());
      CHECK(dy.intact());
      for (const Placed& map : placed) CHECK(map.intact());
    });
    CHECK_SAME(differs_between_threads([&] {
      ops::PyramidConvGradients gradients = ops::pyramid_conv_backward(p.dy, p.x, p.maps, p.w, c.options);
      std::vector<Tensor> results = {ops::pyramid_conv(p.x, p.maps, p.w, c.options), gradients.x, gradients.w};
      results.insert(results.end(), gradients.maps.begin(), gradients.maps.end());
      return results;
    }));
  }
}

TEST_CASE("pyramid_conv: exact where the weights of the interpolation are") {
  // Sides of 5 and 9 cells over 2, 3, 5 and 9: all weights are multiples of an eighth.
  const Case list[] = {{2, 5, 9, 3, {1, 2, 3, 5}, 3, 18, 3, 3, {.padding = 1}, CaseData::integer},
                       {1, 9, 5, 4, {9, 3}, 2, 33, 3, 3, {.padding = 2, .dilation = 2}, CaseData::integer}};
  for (const Case& c : list) {
    CAPTURE(c.name());
    const Problem p(c);
    const Expected expected(c, p);
    for_each_target([&](const std::string& target) {
      CAPTURE(target);
      CHECK_SAME(differs_exactly(ops::pyramid_conv(p.x, p.maps, p.w, c.options), p.plain));
      const ops::PyramidConvGradients gradients = ops::pyramid_conv_backward(p.dy, p.x, p.maps, p.w, c.options);
      CHECK_SAME(differs_exactly(gradients.x, expected.x));
      CHECK_SAME(differs_exactly(gradients.w, expected.w));
      for (size_t b = 0; b < p.maps.size(); ++b) CHECK_SAME(differs_exactly(gradients.maps[b], expected.maps[b]));
    });
  }
}

TEST_CASE("pyramid_share: what the maps add, from a slice of a weight or a dense one") {
  const Case c = {2, 13, 11, 8, {1, 2, 3, 6}, 8, 16};
  const Problem p(c);
  const Tensor slice = p.w.channel_slice(c.c, p.w.channels());
  Array maps_only = p.joined;
  for (int64_t row = 0; row < p.joined.shape.rows(); ++row) {
    for (int64_t i = 0; i < c.c; ++i) maps_only[row * p.joined.shape.last() + i] = 0;
  }
  const Array expected = oracle::conv2d(maps_only, Array(p.w), {}, Problem::conv(c));
  const Tensor share = ops::pyramid_share(p.maps, slice, c.h, c.w, c.options);
  CHECK_SAME(differs(share, expected, kBound));
  CHECK(same_bits(share, ops::pyramid_share(p.maps, slice.clone(), c.h, c.w, c.options)));
}

TEST_CASE("pyramid_conv_backward: gradients that are not needed are not made") {
  const Case c = {1, 5, 5, 3, {1, 2}, 3, 4};
  const Problem p(c);
  const auto all = ops::pyramid_conv_backward(p.dy, p.x, p.maps, p.w, c.options);
  const auto inputs = ops::pyramid_conv_backward(p.dy, p.x, p.maps, p.w, c.options, {.weight = false});
  const auto weight = ops::pyramid_conv_backward(p.dy, p.x, p.maps, p.w, c.options, {.inputs = false});
  CHECK_FALSE(inputs.w.defined());
  CHECK_FALSE(weight.x.defined());
  CHECK(weight.maps.empty());
  CHECK(same_bits(inputs.x, all.x));
  CHECK(same_bits(inputs.maps[1], all.maps[1]));
  CHECK(same_bits(weight.w, all.w));
}

TEST_CASE("pyramid_conv: NaN in a map spreads where its upsampled map has one, and nowhere else") {
  const Case c = {1, 13, 13, 3, {1, 6}, 3, 5};
  Problem p(c);
  p.maps[1].row(7)[1] = std::numeric_limits<float>::quiet_NaN();
  const Tensor parts[] = {p.x, ops::resize_bilinear(p.maps[0], 13, 13, true),
                          ops::resize_bilinear(p.maps[1], 13, 13, true)};
  const Array expected = oracle::conv2d(Array(ops::concat_channels(parts)), Array(p.w), {}, Problem::conv(c));
  for_each_target([&](const std::string& target) {
    CAPTURE(target);
    CHECK_SAME(differs(ops::pyramid_conv(p.x, p.maps, p.w, c.options), expected, kBound));
  });
}

TEST_CASE("pyramid_conv: messages show what does not fit") {
  const Tensor x = Tensor::zeros({1, 7, 7, 8}), w = Tensor::zeros({4, 3, 3, 12});
  const Conv2dOptions options{.padding = 1};
  const std::vector<Tensor> maps = {Tensor::zeros({1, 2, 2, 4})}, wide = {Tensor::zeros({1, 2, 2, 5})},
                            other = {Tensor::zeros({2, 2, 2, 4})};
  CHECK_SHAPE_ERROR(ops::pyramid_conv(x, wide, w, options), "[4,3,3,12]", "13 channels");
  CHECK_SHAPE_ERROR(ops::pyramid_conv(x, other, w, options), "[2,2,2,4]", "1 items");
  CHECK_SHAPE_ERROR(ops::pyramid_conv(x, {}, w, options), "no pyramid maps", "[4,3,3,12]");
  CHECK_SHAPE_ERROR(ops::pyramid_conv_backward(Tensor::zeros({1, 7, 6, 4}), x, maps, w, options), "[1,7,6,4]",
                    "[1,7,7,8]");
}

TEST_CASE("thin_product and combine_rows: all tile shapes, exact, and nothing outside is touched") {
  const auto number = [](int64_t i, int64_t seed) { return static_cast<float>((i * 7 + seed) % 9 - 4); };
  for (const int64_t width : {1, 15, 16, 17, 31, 48, 64, 70, 130}) {
    for (const int64_t rows : {1, 2, 3, 4, 5, 6, 7, 13}) {
      for (const int64_t depth : {0, 1, 5, 128, 131}) {
        CAPTURE(width);
        CAPTURE(rows);
        CAPTURE(depth);
        std::vector<float> a(static_cast<size_t>(rows * 200)), b(static_cast<size_t>(200 * 140));
        for (size_t i = 0; i < a.size(); ++i) a[i] = number(static_cast<int64_t>(i), 1);
        for (size_t i = 0; i < b.size(); ++i) b[i] = number(static_cast<int64_t>(i), 2);
        const std::vector<float> before(static_cast<size_t>(rows * 140), 3.0F);
        std::vector<float> expected = before;
        for (int64_t m = 0; m < rows; ++m) {
          for (int64_t n = 0; n < width; ++n) {
            float sum = 0;
            for (int64_t e = 0; e < depth; ++e) {
              sum += a[static_cast<size_t>(m * 200 + e)] * b[static_cast<size_t>(e * 140 + n)];
            }
            expected[static_cast<size_t>(m * 140 + n)] = sum;
          }
        }
        for_each_target([&](const std::string&) {
          std::vector<float> out = before;
          kernels::thin_product({a.data(), 200, 1, b.data(), 140, out.data(), 140, rows, depth, width, false});
          CHECK(out == expected);
          kernels::thin_product({a.data(), 200, 1, b.data(), 140, out.data(), 140, rows, depth, width, true});
          for (size_t i = 0; i < out.size(); ++i) {
            const bool inside = static_cast<int64_t>(i) % 140 < width;
            if (out[i] != (inside ? 2 * expected[i] : 3.0F)) FAIL_CHECK("element ", i);
          }
          // The same with a transposed.
          std::vector<float> columns(a.size());
          for (int64_t m = 0; m < rows; ++m) {
            for (int64_t e = 0; e < 200; ++e) {
              columns[static_cast<size_t>(e * rows + m)] = a[static_cast<size_t>(m * 200 + e)];
            }
          }
          out = before;
          kernels::thin_product({columns.data(), 1, rows, b.data(), 140, out.data(), 140, rows, depth, width, false});
          CHECK(out == expected);
        });
      }
    }
  }
}

}  // namespace
}  // namespace giza
