// Modules, initial weights, convolution and batch norm as layers.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "layers/conv2d.h"
#include "layers/deconv2d.h"
#include "layers/frozen.h"
#include "layers/init.h"
#include "layers/l2_norm.h"

namespace giza::layers {
namespace {

Random random_stream(uint32_t item) { return {5, Purpose::init, 0, item}; }

struct Pair : Module {
  Pair() : first({.in = 3, .out = 4, .kernel = 3}, true, Init::default_uniform, random_stream(1), {}), bn(4, 0.1) {
    add_child("first", first);
    add_child("bn", bn);
  }
  Conv2d first;
  BatchNorm2d bn;
};

struct Outer : Module {
  Outer() { add_child("0", pair); }
  Pair pair;
};

struct Outermost : Module {
  Outermost() { add_child("net", outer); }
  Outer outer;
};

/// A child that comes to a module which has its own place already.
struct LateParent : Module {
  void finish() { add_child("late", outer); }
  Outer outer;
};

struct Root : Module {
  Root() {
    add_child("root", parent);
    parent.finish();
  }
  LateParent parent;
};

TEST_CASE("module: state is named by its path, in the order of registration") {
  const Outer outer;
  std::vector<std::string> names;
  for (const auto& p : outer.parameters()) names.push_back(p.name);
  CHECK(names == std::vector<std::string>{"0.first.weight", "0.first.bias", "0.bn.weight", "0.bn.bias"});
  names.clear();
  for (const auto& b : outer.buffers()) names.push_back(b.name);
  CHECK(names == std::vector<std::string>{"0.bn.running_mean", "0.bn.running_var"});
  // Handles share the numbers: what is loaded through the list is what the layer computes with.
  CHECK(outer.path().empty());
  CHECK(outer.pair.first.path() == "0.first");
  const Outermost outermost;
  CHECK(outermost.outer.path() == "net");
  CHECK(outermost.outer.pair.path() == "net.0");
  CHECK(outermost.outer.pair.first.path() == "net.0.first");
  CHECK(Root().parent.outer.pair.first.path() == "root.late.0.first");
  for (const auto& p : outer.parameters()) p.variable.value().fill(0.0F);
  const Variable x(Tensor::full({1, 5, 5, 3}, 1.0F));
  for (const float v : outer.pair.first.forward(x, {}).value().to_vector()) CHECK(v == 0.0F);
}

TEST_CASE("init: the distributions of the paper's code") {
  const Shape shape = {64, 3, 3, 32};
  const std::vector<float> normal = initial_weight(Init::kaiming_normal, shape, random_stream(2)).to_vector();
  double sum = 0, squares = 0;
  for (const float v : normal) {
    sum += static_cast<double>(v);
    squares += static_cast<double>(v) * static_cast<double>(v);
  }
  const auto n = static_cast<double>(normal.size());
  const double expected = std::sqrt(2.0 / (64 * 9));
  // Four standard errors of a mean and of a standard deviation.
  CHECK(std::abs(sum / n) < 4 * expected / std::sqrt(n));
  CHECK(std::abs(std::sqrt(squares / n) - expected) < 4 * expected / std::sqrt(2 * n));

  const double bound = 1 / std::sqrt(32.0 * 9);
  double low = 1, high = -1;
  for (const float v : default_uniform(shape, 32 * 9, random_stream(3)).to_vector()) {
    low = std::min(low, static_cast<double>(v));
    high = std::max(high, static_cast<double>(v));
  }
  CHECK(low >= -bound);
  CHECK(high <= bound);
  CHECK(low < -0.99 * bound);
  CHECK(high > 0.99 * bound);
  // A stream of its own per layer, and the same stream again for the same layer.
  CHECK(normal == initial_weight(Init::kaiming_normal, shape, random_stream(2)).to_vector());
  CHECK(normal != initial_weight(Init::kaiming_normal, shape, random_stream(3)).to_vector());
}

TEST_CASE("init: each number has draws of its own, however threads share the work") {
  // More than one range of the work; a number is the same as if all were drawn in a row.
  const Shape shape = {64, 3, 3, 64};
  const std::vector<float> normal = initial_weight(Init::kaiming_normal, shape, random_stream(8)).to_vector();
  const std::vector<float> uniform = default_uniform(shape, 9 * 64, random_stream(8)).to_vector();
  const auto deviation = static_cast<float>(std::sqrt(2.0 / (64 * 9)));
  Random normal_draws = random_stream(8), uniform_draws = random_stream(8);
  std::vector<float> normal_in_a_row, uniform_in_a_row;
  for (int64_t i = 0; i < shape.numel(); ++i) {
    normal_in_a_row.push_back(deviation * normal_draws.next_normal());
    uniform_in_a_row.push_back(uniform_draws.next_uniform(-1.0F / 24, 1.0F / 24));
  }
  CHECK(normal == normal_in_a_row);
  CHECK(uniform == uniform_in_a_row);
}

TEST_CASE("init: msra goes by what comes in, normal by its deviation, and their biases begin at zero") {
  const Shape shape = {32, 3, 3, 128};
  const auto deviation_of = [&](const Init& init) {
    double squares = 0;
    const std::vector<float> numbers = initial_weight(init, shape, random_stream(2)).to_vector();
    for (const float v : numbers) squares += static_cast<double>(v) * static_cast<double>(v);
    return std::sqrt(squares / static_cast<double>(numbers.size()));
  };
  CHECK(deviation_of(Init::msra) == doctest::Approx(std::sqrt(2.0 / (9 * 128))).epsilon(0.02).scale(0));
  CHECK(deviation_of(Init::kaiming_normal) == doctest::Approx(std::sqrt(2.0 / (9 * 32))).epsilon(0.02).scale(0));
  CHECK(deviation_of(Init::normal(0.01)) == doctest::Approx(0.01).epsilon(0.02).scale(0));
  CHECK(deviation_of(Init::zero) == 0);
  for (const Init& init : {Init::msra, Init::normal(0.01), Init::zero, Init::identity(16, 0.01)}) {
    CHECK(initial_bias(init, shape, random_stream(2)).to_vector() == std::vector<float>(32, 0.0F));
  }
}

TEST_CASE("init: identity, eq. 4 and 5 of Yu and Koltun") {
  // Eq. 4: each channel is itself, at the kernel's centre.
  const Tensor plain = initial_weight(Init::identity(3), {3, 3, 3, 3}, random_stream(2));
  for (int64_t i = 0; i < plain.numel(); ++i) {
    const int64_t in = i % 3, tap = i / 3 % 9, out = i / 27;
    CHECK(plain.data()[i] == (in == out && tap == 4 ? 1.0F : 0.0F));
  }
  // Eq. 5, by its own words: 4 channels of 2 classes to 6, C / c_(i+1) = 1/3 where floor(a C / c_i) = floor(b C /
  // c_(i+1)).
  const Tensor wide = initial_weight(Init::identity(2), {6, 1, 1, 4}, random_stream(2));
  for (int64_t b = 0; b < 6; ++b) {
    for (int64_t a = 0; a < 4; ++a) CHECK(wide.row(b)[a] == (a * 2 / 4 == b * 2 / 6 ? 1.0F / 3 : 0.0F));
  }
  // Elsewhere noise, where it is asked for.
  const std::vector<float> noisy = initial_weight(Init::identity(2, 0.01), {6, 3, 3, 4}, random_stream(2)).to_vector();
  CHECK(std::count(noisy.begin(), noisy.end(), 1.0F / 3) == 12);
  CHECK(std::count(noisy.begin(), noisy.end(), 0.0F) == 0);
  CHECK(std::all_of(noisy.begin(), noisy.end(), [](float v) { return v == 1.0F / 3 || std::abs(v) < 0.06F; }));
  CHECK_THROWS_AS(initial_weight(Init::identity(4), {6, 3, 3, 4}, random_stream(2)), ShapeError);
}

TEST_CASE("deconvolution: begins as the bilinear enlargement, but for the border") {
  const Tensor x = Tensor::activation({1, 5, 7, 3});
  Random random = random_stream(9);
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t c = 0; c < 3; ++c) x.row(i)[c] = random.next_uniform(-1, 1);
  }
  // FCN's filler: side 2 f for enlargement by f, half of f taken off, agrees with half-pixel centres inside.
  for (const int64_t f : {2, 8}) {
    const Deconv2d enlarge(3, 2 * f, f, f / 2, {});
    const Tensor got = enlarge.forward(Variable(x), /*learned=*/true).value();
    const Tensor want = autograd::resize_bilinear(Variable(x), 5 * f, 7 * f, /*align_corners=*/false).value();
    REQUIRE(got.shape() == want.shape());
    for (int64_t h = f / 2; h < 5 * f - f / 2; ++h) {
      for (int64_t w = f / 2; w < 7 * f - f / 2; ++w) {
        const float* there = got.row(h * 7 * f + w);
        for (int64_t c = 0; c < 3; ++c) CHECK(there[c] == doctest::Approx(want.row(h * 7 * f + w)[c]).epsilon(1e-5));
      }
    }
  }
  const Tensor odd = bilinear_kernel(1, 3);
  CHECK(odd.to_vector() == std::vector<float>{0.25F, 0.5F, 0.25F, 0.5F, 1, 0.5F, 0.25F, 0.5F, 0.25F});
  const Deconv2d fixed(3, 4, 2, 1, {});
  CHECK_FALSE(fixed.forward(Variable(x), /*learned=*/false).requires_grad());
}

TEST_CASE("L2 norm: every pixel has the gain's length") {
  const L2Norm norm(4, 10);
  const Tensor x = Tensor::full({1, 2, 3, 4}, 0.3F);
  for (const float v : norm.forward(Variable(x)).value().to_vector()) CHECK(v == doctest::Approx(5).epsilon(1e-6));
}

TEST_CASE("convolution layer: ReLU in one, and a padding of its own") {
  const Conv2d conv({.in = 3, .out = 4, .kernel = 3, .padding = 100}, true, Init::msra, random_stream(3), {});
  const Tensor x = Tensor::full({1, 5, 6, 3}, 0.5F);
  const Tensor y = conv.forward(Variable(x), {}).value(), z = conv.forward_relu(Variable(x), {}).value();
  CHECK(y.shape() == Shape{1, 203, 204, 4});
  Frozen frozen;
  const Tensor same = conv.forward_relu(Variable(x), {.frozen = &frozen}).value();
  for (int64_t i = 0; i < y.rows(); ++i) {
    for (int64_t c = 0; c < 4; ++c) {
      CHECK(z.row(i)[c] == std::max(y.row(i)[c], 0.0F));
      CHECK(same.row(i)[c] == doctest::Approx(z.row(i)[c]));
    }
  }
}

TEST_CASE("convolution layer: no number of the bias comes from a draw of the weight") {
  for (const Init init : {Init::default_uniform, Init::kaiming_normal}) {
    const ConvShape shape = {.in = 3, .out = 16, .kernel = 3};
    const Conv2d conv(shape, true, init, random_stream(5), {});
    std::vector<float> bias;
    for (const auto& p : conv.parameters()) {
      if (p.name == "bias") bias = p.variable.value().to_vector();
    }
    REQUIRE(bias.size() == 16);
    // What the weight draws, as the bias would draw it: two draws for a normal number, one for a uniform one.
    const int64_t draws = init == Init::kaiming_normal ? kNormalDraws : kUniformDraws;
    const std::vector<float> drawn = default_uniform({16 * 27 * draws}, 27, random_stream(5)).to_vector();
    for (const float v : bias) CHECK(std::count(drawn.begin(), drawn.end(), v) == 0);
  }
}

TEST_CASE("convolution layer: keeps the size at stride 1, halves it at stride 2, at any dilation") {
  const Variable x(Tensor::zeros({2, 9, 12, 3}));
  const auto output = [&](const ConvShape& shape) {
    return Conv2d(shape, false, Init::kaiming_normal, random_stream(4), {}).forward(x, {}).shape();
  };
  CHECK(output({.in = 3, .out = 5, .kernel = 3}) == Shape{2, 9, 12, 5});
  CHECK(output({.in = 3, .out = 5, .kernel = 3, .dilation = 4}) == Shape{2, 9, 12, 5});
  CHECK(output({.in = 3, .out = 5, .kernel = 3, .stride = 2}) == Shape{2, 5, 6, 5});
  CHECK(output({.in = 3, .out = 5, .kernel = 7, .stride = 2}) == Shape{2, 5, 6, 5});
}

TEST_CASE("batch norm layer: batch statistics in training, running ones in evaluation") {
  const BatchNorm2d bn(2, 0.25);
  const Tensor x = Tensor::from({1, 2, 2, 2}, std::vector<float>{1, 10, 3, 30, 5, 50, 7, 70});
  const Variable trained = bn.forward(Variable(x), {.training = true}, false);
  double mean = 0;
  for (int64_t i = 0; i < 4; ++i) mean += static_cast<double>(trained.value().row(i)[0]);
  CHECK(mean == doctest::Approx(0).epsilon(1e-6));
  const auto buffers = bn.buffers();
  // 0.75 * 0 + 0.25 * 4, and 0.75 * 1 + 0.25 * 20 / 3 (unbiased).
  CHECK(buffers[0].tensor.data()[0] == doctest::Approx(1.0));
  CHECK(buffers[1].tensor.data()[0] == doctest::Approx(0.75 + 0.25 * 20 / 3));
  // A forward pass that is only made again for its backward pass counts once.
  (void)bn.forward(Variable(x), {.training = true, .again = true}, false);
  CHECK(buffers[0].tensor.data()[0] == doctest::Approx(1.0));
  const Variable judged = bn.forward(Variable(x), {}, true);
  CHECK(judged.value().row(0)[0] == doctest::Approx(0.0).epsilon(1e-6));
  CHECK(judged.value().row(3)[0] == doctest::Approx(6 / std::sqrt(0.75 + 0.25 * 20 / 3 + 1e-5)));
}

TEST_CASE("frozen layers: convolution with a bias, batch norm and ReLU in one, as one after the other") {
  const Conv2d conv({.in = 3, .out = 5, .kernel = 3}, /*bias=*/true, Init::default_uniform, random_stream(6), {});
  const BatchNorm2d bn(5, 0.1);
  // Numbers of their own in every place: scales, shifts, means, and a variance that eps matters beside.
  const auto fill = [](const Tensor& tensor, float first, float step) {
    for (int64_t i = 0; i < tensor.numel(); ++i) tensor.data()[i] = first + step * static_cast<float>(i);
  };
  for (const auto& p : bn.parameters()) fill(p.variable.value(), p.name == "weight" ? 0.5F : -0.3F, 0.25F);
  for (const auto& b : bn.buffers()) fill(b.tensor, b.name == "running_mean" ? -0.4F : 1e-5F, 0.3F);
  const Variable x(default_uniform({2, 6, 7, 3}, 1, random_stream(7)));
  for (const bool relu : {false, true}) {
    Frozen frozen;
    const Tensor together = frozen.conv2d(x.value(), conv, &bn, {.relu = relu});
    const Tensor apart = bn.forward(conv.forward(x, {}), {}, relu).value();
    REQUIRE(together.shape() == apart.shape());
    for (int64_t row = 0; row < apart.rows(); ++row) {
      for (int64_t c = 0; c < 5; ++c) CHECK(together.row(row)[c] == doctest::Approx(apart.row(row)[c]).epsilon(1e-4));
    }
  }
}

}  // namespace
}  // namespace giza::layers
