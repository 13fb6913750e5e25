// Winograd convolutions against the double oracle: every tile size, SIMD target and layout; the choice of algorithms.
#include <cmath>
#include <set>

#include "tensor/kernels/winograd_matrices.h"
#include "tensor/ops/conv2d.h"
#include "tensor/ops/prepared_conv2d.h"
#include "tests/support/op_testing.h"

namespace giza {
namespace {

using oracle::Array;

constexpr ConvAlgorithm kWinograd[] = {ConvAlgorithm::winograd2, ConvAlgorithm::winograd4, ConvAlgorithm::winograd5,
                                       ConvAlgorithm::winograd6};

/// Relative L2 of the standards. F(5x5) and F(6x6) keep it where `fast` chooses them; forced where they do not fit, on
/// maps smaller than a tile or with F(6x6) beyond 64 channels, they may be off by more.
double bound_of(ConvPass pass, const OpCase& row, Conv2dOptions options) {
  const ConvAlgorithm forced = options.engine.algorithm;
  if (forced == ConvAlgorithm::winograd2 || forced == ConvAlgorithm::winograd4) return 5e-6;
  options.engine.algorithm = ConvAlgorithm::fast;
  return ops::plan_conv2d(pass, row.input(), row.weight(), options).algorithm == forced ? 5e-6 : 2e-5;
}

bool finite(const OpCase& row) { return row.data != CaseData::nan && row.data != CaseData::inf; }

std::vector<OpCase> cases() {
  std::vector<OpCase> rows;
  for (const OpCase& row : op_cases("conv2d")) {
    if (row.kernel_h == 3 && row.kernel_w == 3 && row.stride == 1) rows.push_back(row);
  }
  // Paddings that are not the dilation, whole panels and a rest, several blocks of tiles and of the depth, blocks whose
  // tiles do not fit into a cache at once.
  for (const char* text : {"conv2d n1h9w10c40k72r3d2p0", "conv2d n2h8w5c24k16r3p3", "conv2d n1h25w26c16k16r3d3p5",
                           "conv2d n1h30w31c170k130r3", "conv2d n1h8w9c1100k520r3d2", "conv2d n1h62w61c17k18r3 bias",
                           "conv2d n2h46w49c64k60r3"}) {
    rows.push_back(OpCase::parse(text));
  }
  return rows;
}

Conv2dOptions with(const OpCase& row, ConvAlgorithm algorithm) {
  Conv2dOptions options = row.conv();
  options.engine.algorithm = algorithm;
  return options;
}

TEST_CASE("winograd: every size, target and layout against the oracle") {
  int turn = 0;
  for (const OpCase& row : cases()) {
    if (!finite(row)) continue;
    CAPTURE(row.name());
    const uint64_t seed = seed_of(row.name());
    const Tensor x = make_numbers(row.input(), row.data, seed), w = make_numbers(row.weight(), row.data, seed + 1);
    const Tensor bias = row.bias ? make_numbers({row.k}, row.data, seed + 2) : Tensor();
    const Tensor dy = make_numbers(row.output(), row.data, seed + 3);
    const oracle::Conv conv{row.stride, row.padding, row.dilation};
    const Array ox(x), ow(w), ody(dy);
    const Array y = oracle::conv2d(ox, ow, row.bias ? Array(bias) : Array(), conv);
    const Array dx = oracle::conv2d_backward_input(ody, ow, row.input(), conv);
    const Array dw = oracle::conv2d_backward_weight(ox, ody, row.weight(), conv);
    for_each_target([&](const std::string& target) {
      CAPTURE(target);
      for (const ConvAlgorithm algorithm : kWinograd) {
        CAPTURE(std::string(to_string(algorithm)));
        const Conv2dOptions options = with(row, algorithm);
        CHECK(ops::plan_conv2d(ConvPass::forward, row.input(), row.weight(), options).algorithm == algorithm);
        const Placed input(x, kLayouts[turn++ % 3]), gradient(dy, kLayouts[turn % 3]);
        CHECK_SAME(differs(ops::conv2d(input, w, bias, options), y, bound_of(ConvPass::forward, row, options)));
        CHECK_SAME(differs(ops::conv2d_backward_input(gradient, w, row.input(), options), dx,
                           bound_of(ConvPass::backward_input, row, options)));
        CHECK_SAME(differs(ops::conv2d_backward_weight(input, gradient, row.weight(), options), dw,
                           bound_of(ConvPass::backward_weight, row, options)));
        CHECK(input.intact());
        CHECK(gradient.intact());
      }
      ++turn;
    });
  }
}

TEST_CASE("winograd: F(2x2) is exact on small integers") {
  // Its transforms divide by 4 at most, so every number is a small multiple of 1/4.
  for (const char* text : {"conv2d n1h13w12c33k40r3 integer", "conv2d n2h9w9c16k24r3d2 integer"}) {
    const OpCase row = OpCase::parse(text);
    const Tensor x = make_numbers(row.input(), row.data, 1), w = make_numbers(row.weight(), row.data, 2);
    const Tensor dy = make_numbers(row.output(), row.data, 3);
    const oracle::Conv conv{row.stride, row.padding, row.dilation};
    for_each_target([&](const std::string& target) {
      CAPTURE(target);
      const Conv2dOptions options = with(row, ConvAlgorithm::winograd2);
      CHECK_SAME(differs_exactly(ops::conv2d(x, w, {}, options), oracle::conv2d(Array(x), Array(w), {}, conv)));
      CHECK_SAME(differs_exactly(ops::conv2d_backward_input(dy, w, row.input(), options),
                                 oracle::conv2d_backward_input(Array(dy), Array(w), row.input(), conv)));
      CHECK_SAME(differs_exactly(ops::conv2d_backward_weight(x, dy, row.weight(), options),
                                 oracle::conv2d_backward_weight(Array(x), Array(dy), row.weight(), conv)));
    });
  }
}

TEST_CASE("winograd: NaN and infinity reach every output that they belong to") {
  for (const OpCase& row : cases()) {
    if (finite(row)) continue;
    CAPTURE(row.name());
    const Tensor x = make_numbers(row.input(), row.data, 1), w = make_numbers(row.weight(), CaseData::normal, 2);
    const Array y = oracle::conv2d(Array(x), Array(w), {}, {row.stride, row.padding, row.dilation});
    for (const ConvAlgorithm algorithm : kWinograd) {
      const Tensor result = ops::conv2d(x, w, {}, with(row, algorithm));
      const std::vector<float> values = result.to_vector();
      int64_t spread = 0;
      for (size_t i = 0; i < values.size(); ++i) {
        if (!std::isfinite(y[static_cast<int64_t>(i)])) CHECK_FALSE(std::isfinite(values[i]));
        spread += !std::isfinite(values[i]);
      }
      // A tile shares what it reads: not further than the tiles that read the number.
      CHECK(spread < result.numel());
    }
  }
}

TEST_CASE("winograd: the same bits at 1, 2 and 3 threads") {
  for (const char* text : {"conv2d n2h31w29c64k48r3d2", "conv2d n1h20w21c160k192r3", "conv2d n1h40w40c16k16r3"}) {
    const OpCase row = OpCase::parse(text);
    const Tensor x = make_numbers(row.input(), row.data, 1), w = make_numbers(row.weight(), row.data, 2);
    const Tensor dy = make_numbers(row.output(), row.data, 3);
    for (const ConvAlgorithm algorithm : kWinograd) {
      CAPTURE(std::string(to_string(algorithm)));
      const Conv2dOptions options = with(row, algorithm);
      CHECK_SAME(differs_between_threads([&] {
        return std::vector<Tensor>{ops::conv2d(x, w, {}, options),
                                   ops::conv2d_backward_input(dy, w, row.input(), options),
                                   ops::conv2d_backward_weight(x, dy, row.weight(), options)};
      }));
    }
  }
}

TEST_CASE("winograd: strided rows of a weight") {
  const Tensor wide = make_numbers({24, 3, 3, 50}, CaseData::normal, 1), part = wide.channel_slice(7, 40);
  const Tensor x = make_numbers({1, 12, 13, 33}, CaseData::normal, 2),
               dy = make_numbers({1, 12, 13, 24}, CaseData::normal, 3);
  for (const ConvAlgorithm algorithm : {ConvAlgorithm::direct, ConvAlgorithm::winograd2, ConvAlgorithm::winograd4}) {
    const Conv2dOptions options{.padding = 1, .engine = {.algorithm = algorithm}};
    CHECK(same_bits(ops::conv2d(x, part, {}, options), ops::conv2d(x, part.clone(), {}, options)));
    CHECK(same_bits(ops::conv2d_backward_input(dy, part, x.shape(), options),
                    ops::conv2d_backward_input(dy, part.clone(), x.shape(), options)));
  }
}

TEST_CASE("conv2d: the algorithm is a function of the shape") {
  const auto choice = [](const char* text, ConvAlgorithm algorithm = ConvAlgorithm::automatic) {
    const OpCase row = OpCase::parse(text);
    return ops::plan_conv2d(ConvPass::forward, row.input(), row.weight(), with(row, algorithm)).algorithm;
  };
  CHECK(choice("conv2d n1h60w60c512k512r3d4") == ConvAlgorithm::winograd4);
  CHECK(choice("conv2d n1h119w119c64k64r3") == ConvAlgorithm::winograd4);
  CHECK(choice("conv2d n1h60w60c512k2048r1") == ConvAlgorithm::direct);     // no 3x3
  CHECK(choice("conv2d n1h119w119c128k128r3s2") == ConvAlgorithm::direct);  // strided
  CHECK(choice("conv2d n1h60w60c3k64r3") == ConvAlgorithm::direct);         // few channels
  CHECK(choice("conv2d n1h3w3c64k64r3d4") == ConvAlgorithm::direct);        // tiles would be nearly empty
  CHECK(choice("conv2d n1h2w2c64k64r3") == ConvAlgorithm::winograd2);
  CHECK(choice("conv2d n1h60w60c512k512r3d4", ConvAlgorithm::fast) == ConvAlgorithm::winograd5);  // 15 / 5 tiles a side
  CHECK(choice("conv2d n1h60w60c64k64r3", ConvAlgorithm::fast) == ConvAlgorithm::winograd6);
  CHECK(choice("conv2d n1h60w60c128k128r3", ConvAlgorithm::fast) != ConvAlgorithm::winograd6);      // beyond the bound
  CHECK(choice("conv2d n1h60w60c512k512r3s2", ConvAlgorithm::winograd4) == ConvAlgorithm::direct);  // does not apply
  // What costs more than direct is not chosen, and executed operations are what the tiles cover.
  const OpCase row = OpCase::parse("conv2d n1h60w60c512k512r3d4");
  const ConvPlan plan = ops::plan_conv2d(ConvPass::forward, row.input(), row.weight(), row.conv());
  CHECK(plan.flops == 2 * row.macs());
  CHECK(plan.executed_flops > plan.flops / 4);
  CHECK(plan.executed_flops < plan.flops / 3);
  // The gradient of the input has other tiles, those of x, and its sums run over the output channels.
  const Conv2dOptions unpadded{.padding = 0, .engine = {.algorithm = ConvAlgorithm::winograd4}};
  const auto executed = [&](ConvPass pass) {
    return ops::plan_conv2d(pass, {1, 10, 10, 16}, {16, 3, 3, 16}, unpadded).executed_flops;
  };
  const double tile = 2 * 36 * (16 * 16 + 6 * (16 + 16));
  CHECK(executed(ConvPass::forward) == 2 * 2 * tile);         // 8 x 8 outputs
  CHECK(executed(ConvPass::backward_input) == 3 * 3 * tile);  // 10 x 10 inputs
  const Conv2dOptions fast{.padding = 1, .engine = {.algorithm = ConvAlgorithm::fast}};
  const Shape few_in = {128, 3, 3, 64}, few_out = {64, 3, 3, 128};
  const auto largest = [&](ConvPass pass, const Shape& w) {
    return ops::plan_conv2d(pass, {1, 60, 60, w[3]}, w, fast).algorithm == ConvAlgorithm::winograd6;
  };
  CHECK(largest(ConvPass::forward, few_in));
  CHECK_FALSE(largest(ConvPass::forward, few_out));
  CHECK_FALSE(largest(ConvPass::backward_input, few_in));
  CHECK(largest(ConvPass::backward_input, few_out));
  std::set<std::string> names;
  for (const ConvAlgorithm algorithm : conv_algorithms()) {
    names.insert(to_string(algorithm));
    CHECK(parse_conv_algorithm(to_string(algorithm)) == algorithm);
  }
  CHECK(names.size() == 7);
  CHECK_THROWS_AS(parse_conv_algorithm("winograd3"), Refusal);
}

template <int kM>
void check_matrices() {
  // y = A^T [(G g) * (B^T d)] for unit vectors g and d is 1 where d's index is y's plus g's, else 0.
  constexpr auto kA = kernels::Winograd<kM>::a();
  constexpr auto kG = kernels::Winograd<kM>::g();
  constexpr auto kBt = kernels::Winograd<kM>::bt();
  for (int y = 0; y < kM; ++y) {
    for (int r = 0; r < 3; ++r) {
      for (int d = 0; d < kM + 2; ++d) {
        double sum = 0;
        for (int j = 0; j < kM + 2; ++j) sum += kA.at[j][y] * kG.at[j][r] * kBt.at[j][d];
        CHECK(sum == doctest::Approx(y + r == d ? 1.0 : 0.0).epsilon(1e-12));
      }
    }
  }
}

TEST_CASE("winograd: the matrices made from the points compute a correlation") {
  check_matrices<2>();
  check_matrices<4>();
  check_matrices<5>();
  check_matrices<6>();
}

}  // namespace
}  // namespace giza
