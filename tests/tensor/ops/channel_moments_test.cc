// Mean and variance gathered by convolutions.
#include "tensor/ops/channel_moments.h"

#include <cmath>

#include "tensor/ops/batch_norm.h"
#include "tensor/ops/conv2d.h"
#include "tests/support/op_testing.h"

namespace giza {
namespace {

/// "" if the moments are those of y's numbers.
std::string differ(const ops::ChannelMoments& moments, const Tensor& y) {
  if (!moments.ready() || moments.count() != y.rows()) return "not of all pixels";
  for (int64_t c = 0; c < y.channels(); ++c) {
    long double mean = 0, variance = 0;
    for (int64_t row = 0; row < y.rows(); ++row) mean += y.row(row)[c];
    mean /= static_cast<long double>(y.rows());
    for (int64_t row = 0; row < y.rows(); ++row) variance += (y.row(row)[c] - mean) * (y.row(row)[c] - mean);
    variance /= static_cast<long double>(y.rows());
    const auto at = static_cast<size_t>(c);
    if (!(std::abs(moments.mean()[at] - mean) <= 1e-12L * (std::abs(mean) + std::sqrt(variance))) ||
        !(std::abs(moments.variance()[at] - variance) <= 1e-9L * variance)) {
      return fmt::format("channel {}: mean {} variance {}", c, moments.mean()[at], moments.variance()[at]);
    }
  }
  return "";
}

TEST_CASE("moments: every algorithm, target and cut of the work gives those of its output") {
  for (const char* text :
       {"conv2d n2h13w12c33k40r3", "conv2d n1h31w29c16k150r3d4", "conv2d n1h20w21c160k192r3", "conv2d n1h6w6c512k530r1",
        "conv2d n3h13w13c3k16r3s2", "conv2d n1h8w9c1100k520r3d2", "conv2d n1h60w61c17k33r3"}) {
    const OpCase row = OpCase::parse(text);
    CAPTURE(text);
    const Tensor x = make_numbers(row.input(), CaseData::normal, 1),
                 w = make_numbers(row.weight(), CaseData::normal, 2);
    const Tensor far = Tensor::full({row.k}, 1e4F);  // mean = 10^3 sigma and more
    for_each_target([&](const std::string& target) {
      CAPTURE(target);
      for (const ConvAlgorithm algorithm :
           {ConvAlgorithm::direct, ConvAlgorithm::winograd2, ConvAlgorithm::winograd4}) {
        CAPTURE(std::string(to_string(algorithm)));
        Conv2dOptions options = row.conv();
        options.engine.algorithm = algorithm;
        for (const Tensor& bias : {Tensor(), far}) {
          ops::ChannelMoments moments;
          const Tensor y = ops::conv2d_fused(x, w, {.bias = bias, .moments = &moments}, options);
          CHECK(same_bits(y, ops::conv2d(x, w, bias, options)));
          CHECK_SAME(differ(moments, y));
        }
      }
    });
    CHECK_SAME(differs_between_threads([&] {
      ops::ChannelMoments moments;
      const Tensor y = ops::conv2d_fused(x, w, {.moments = &moments}, row.conv());
      const Tensor ones = Tensor::full({row.k}, 1.0F), zeros = Tensor::zeros({row.k}), var = ones.clone();
      const ops::BatchNormResult result = ops::batch_norm_train(y, ones, zeros, zeros.clone(), var, {}, {}, &moments);
      return std::vector<Tensor>{result.y, result.mean, result.invstd, var};
    }));
  }
}

TEST_CASE("moments: batch norm gives the same with them as without, and refuses those of another tensor") {
  const Tensor x = make_numbers({2, 13, 12, 33}, CaseData::normal, 1),
               w = make_numbers({40, 3, 3, 33}, CaseData::normal, 2);
  const Tensor ones = Tensor::full({40}, 1.0F), zeros = Tensor::zeros({40});
  ops::ChannelMoments moments;
  const Tensor y = ops::conv2d_fused(x, w, {.moments = &moments}, {.padding = 1});
  const auto run = [&](const ops::ChannelMoments* given) {
    const Tensor mean = zeros.clone(), var = ones.clone();
    const ops::BatchNormResult result = ops::batch_norm_train(y, ones, zeros, mean, var, {}, {.relu = true}, given);
    return std::vector<Tensor>{result.y, mean, var};
  };
  const std::vector<Tensor> with = run(&moments), without = run(nullptr);
  for (size_t i = 0; i < with.size(); ++i) CHECK_SAME(differs(with[i], oracle::Array(without[i]), 1e-7));
  CHECK_SHAPE_ERROR(
      ops::batch_norm_train(y.batch_slice(0, 1), ones, zeros, zeros.clone(), ones.clone(), {}, {}, &moments), "312",
      "[1,13,12,40]");
}

}  // namespace
}  // namespace giza
