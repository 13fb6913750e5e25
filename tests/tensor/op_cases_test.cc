// The op case table, and the helpers of the op tests: they must notice what they are for.
#include "tests/support/op_cases.h"

#include <limits>
#include <set>

#include "tests/support/op_testing.h"

namespace giza {
namespace {

TEST_CASE("op case table: text form") {
  const OpCase row = OpCase::parse("conv2d n2h60w61c512k33r3d4s2p5 bias integer");
  CHECK(row.op == "conv2d");
  CHECK(row.input() == Shape{2, 60, 61, 512});
  CHECK(row.weight() == Shape{33, 3, 3, 512});
  CHECK(row.stride == 2);
  CHECK(row.dilation == 4);
  CHECK(row.padding == 5);
  CHECK(row.bias);
  CHECK(row.data == CaseData::integer);
  CHECK(OpCase::parse("conv2d n1h60w60c512k512r3d4").padding == 4);
  CHECK(OpCase::parse("conv2d n1h60w60c512k512r3d4").macs() == 3600.0 * 512 * 512 * 9);
  CHECK(OpCase::parse("conv2d n1h7w7c3k4r1x7p0").weight() == Shape{4, 1, 7, 3});
  CHECK(OpCase::parse("concat_channels n1h7w7c8c3").channels == std::vector<int64_t>{8, 3});
  CHECK_THROWS_AS((void)OpCase::parse("conv2d n1y7"), Error);
  CHECK_THROWS_AS((void)OpCase::parse("conv2d n1h7 blurred"), Error);
  CHECK_THROWS_AS((void)OpCase::parse("conv2d nh7"), Error);
  CHECK_THROWS_AS((void)op_cases("conv9d"), Error);
  for (const char* op :
       {"conv2d", "linear", "batch_norm_train", "batch_norm_eval", "relu", "add", "sum_rows", "max_pool2d",
        "adaptive_avg_pool2d", "adaptive_max_pool2d", "resize_bilinear", "concat_channels", "softmax", "cross_entropy",
        "argmax", "dropout2d", "upsample_cross_entropy", "upsample_argmax"}) {
    for (CaseUse use : {CaseUse::test, CaseUse::bench}) {
      for (const OpCase& each : op_cases(op, use)) {
        CAPTURE(each.name());
        CHECK(OpCase::parse(each.name()) == each);
      }
    }
  }
}

TEST_CASE("op case table: every op meets every size that breaks kernels") {
  for (const char* op :
       {"conv2d", "linear", "batch_norm_train", "batch_norm_eval", "relu", "add", "sum_rows", "max_pool2d",
        "adaptive_avg_pool2d", "adaptive_max_pool2d", "resize_bilinear", "concat_channels", "softmax", "cross_entropy",
        "argmax", "dropout2d", "upsample_cross_entropy", "upsample_argmax"}) {
    CAPTURE(op);
    const std::string name = op;
    std::set<int64_t> batches, sides, channels, dilations;
    for (const OpCase& row : op_cases(op)) {
      batches.insert(row.n);
      sides.insert({row.h, row.w});
      channels.insert(row.channels.begin(), row.channels.end());
      channels.insert(row.k);
      dilations.insert(row.dilation);
    }
    for (int64_t n : {0, 1, 2, 3}) {
      CAPTURE(n);
      CHECK((batches.contains(n) || (n == 0 && name == "batch_norm_train")));  // which refuses an empty batch
    }
    for (int64_t side : {1, 2, 3, 7, 13, 31, 59, 60, 61}) {
      CAPTURE(side);
      CHECK((sides.contains(side) || name == "linear"));
    }
    for (int64_t c : {1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 150}) {
      CAPTURE(c);
      CHECK(channels.contains(c));
    }
    for (int64_t d : {1, 2, 4, 12}) CHECK((dilations.contains(d) || name != "conv2d"));
  }
}

TEST_CASE("test helpers: canaries and comparisons notice what they should") {
  const Tensor x = make_numbers({1, 2, 3, 5}, CaseData::normal, 1);
  for (Layout layout : kLayouts) {
    const Placed placed(x, layout);
    CHECK(placed.intact());
    CHECK(same_bits(placed, x));
    placed.view().row(1)[2] += 1.0F;
    CHECK(placed.canaries_intact());
    CHECK_FALSE(placed.intact());
    if (layout == Layout::dense) continue;
    CHECK_FALSE(placed.view().dense());
    placed.view().row(0)[5] = 0.0F;  // one past the row
    CHECK_FALSE(placed.canaries_intact());
  }
  oracle::Array expected(x);
  CHECK(differs(x, expected, 0).empty());
  CHECK(differs_exactly(x, expected).empty());
  expected[7] += 1e-5;
  CHECK_FALSE(differs(x, expected, 1e-6).empty());
  CHECK(differs(x, expected, 1e-4).empty());
  CHECK_FALSE(differs_exactly(x, expected).empty());
  expected[7] = std::numeric_limits<double>::quiet_NaN();
  CHECK_FALSE(differs(x, expected, 1.0).empty());
  x.data()[7] = std::numeric_limits<float>::quiet_NaN();
  CHECK(differs(x, expected, 1e-6).empty());
  CHECK_FALSE(differs(x, oracle::Array({1, 2, 3, 5}), 1e9).empty());
  CHECK_FALSE(differs(x, oracle::Array({1, 2, 15}), 1e9).empty());
}

}  // namespace
}  // namespace giza
