// Which algorithm for which convolution.
#include <algorithm>
#include <array>
#include <limits>

#include "tensor/base/check.h"
#include "tensor/ops/conv/native.h"

namespace giza {
namespace {

constexpr std::array<ConvAlgorithm, 7> kAlgorithms = {
    ConvAlgorithm::automatic, ConvAlgorithm::fast,      ConvAlgorithm::direct,   ConvAlgorithm::winograd2,
    ConvAlgorithm::winograd4, ConvAlgorithm::winograd5, ConvAlgorithm::winograd6};

}  // namespace

std::span<const ConvAlgorithm> conv_algorithms() { return kAlgorithms; }

const char* to_string(ConvAlgorithm algorithm) {
  constexpr std::array<const char*, 7> kNames = {"auto",      "fast",      "direct",   "winograd2",
                                                 "winograd4", "winograd5", "winograd6"};
  return kNames[static_cast<size_t>(algorithm)];
}

ConvAlgorithm parse_conv_algorithm(const std::string& name) {
  for (const ConvAlgorithm algorithm : kAlgorithms) {
    if (name == to_string(algorithm)) return algorithm;
  }
  throw Refusal(fmt::format(
      "{}: unknown convolution algorithm; choose auto, fast, direct, winograd2, winograd4, winograd5 or winograd6",
      name));
}

namespace ops {
namespace {

double product(std::initializer_list<int64_t> sizes) {
  double result = 1;
  for (const int64_t size : sizes) result *= static_cast<double>(size);
  return result;
}

/// Multiply-adds of F(m x m, 3 x 3). A transform of a tile of n x n numbers is two products by an n x n matrix, half of
/// whose work its pairs of rows save.
double winograd_macs(int m, int64_t images, int64_t h, int64_t w, int64_t in, int64_t out, int64_t dilation) {
  const winograd::Tiling tiling(m, images, h, w, dilation);
  const double values = product({tiling.count(), tiling.positions()});
  return values * (product({in, out}) + static_cast<double>((m + 2) * (in + out)));
}

}  // namespace

int winograd_tile(ConvAlgorithm algorithm) {
  switch (algorithm) {
    case ConvAlgorithm::winograd2:
      return 2;
    case ConvAlgorithm::winograd4:
      return 4;
    case ConvAlgorithm::winograd5:
      return 5;
    case ConvAlgorithm::winograd6:
      return 6;
    default:
      return 0;
  }
}

ConvPlan plan_conv2d(ConvPass pass, const Shape& x, const Shape& w, const Conv2dOptions& options) {
  const int64_t p = conv_output_size(x[1], w[1], options), q = conv_output_size(x[2], w[2], options);
  const double macs = product({x[0], p, q, w.numel()});
  ConvPlan plan{ConvAlgorithm::direct, 2 * macs, 2 * macs};
  if (!winograd::applies(w, options)) return plan;
  // Tiles cover the output, or for the gradient of the input that one.
  const bool to_input = pass == ConvPass::backward_input;
  const auto consider = [&](ConvAlgorithm algorithm, double below) {
    const double flops = 2 * winograd_macs(winograd_tile(algorithm), x[0], to_input ? x[1] : p, to_input ? x[2] : q,
                                           w[3], w[0], options.dilation);
    if (flops < below) plan = {algorithm, plan.flops, flops};
  };
  if (winograd_tile(options.engine.algorithm) > 0) {
    consider(options.engine.algorithm, std::numeric_limits<double>::infinity());
    return plan;
  }
  // Below 16 channels a direct product runs over whole vectors and transforms do not.
  if (options.engine.algorithm == ConvAlgorithm::direct || std::min(w[0], w[3]) < 16) return plan;
  // A transformed number costs about four times a multiply-add of the products: it is read from and written to memory.
  // So F(2x2), which transforms four numbers for each output, has to save a quarter. Larger tiles transform fewer.
  consider(ConvAlgorithm::winograd2, 0.75 * plan.executed_flops);
  consider(ConvAlgorithm::winograd4, plan.executed_flops);
  if (options.engine.algorithm == ConvAlgorithm::fast) {
    consider(ConvAlgorithm::winograd5, 0.95 * plan.executed_flops);
    // F(6x6) comes close to a relative error of 5e-6 beyond 64 terms, and passes it where tiles are partly empty.
    if ((to_input ? w[0] : w[3]) <= 64) consider(ConvAlgorithm::winograd6, 0.95 * plan.executed_flops);
  }
  return plan;
}

}  // namespace ops
}  // namespace giza
