// The rows of the op case table for ops that slide a window: convolutions, fully connected layers (windows of the whole
// picture) and poolings; op_cases.h has the language.
#include <string_view>

#include "tests/support/op_cases.h"

namespace giza {
namespace {

// Sizes from {1,2,3,7,13,31,59,60,61}, batch 0 to 3, channels from {1,3,7,8,9,15,16,17,31,33,150}: a covering subset.
// The number of multiply-adds of a case stays below 20 million, because the oracle is slow.
constexpr std::string_view kWindowCases = R"(
conv2d n1h1w1c1k1
conv2d n0h7w7c8k8r3
conv2d n2h2w3c3k7r3
conv2d n3h7w13c7k3r1 bias
conv2d n1h13w7c8k9r3
conv2d n1h31w31c9k8r3d2
conv2d n1h13w13c15k16r3d4
conv2d n1h7w7c16k17r3d12
conv2d n2h3w3c17k15r3d4
conv2d n1h1w1c33k31r3d2
conv2d n1h59w61c3k16r3s2
conv2d n2h31w13c17k33r1s2 bias
conv2d n1h60w60c16k31r1
conv2d n1h61w59c31k17r1
conv2d n2h13w13c33k150r1 bias
conv2d n1h7w7c150k33r3
conv2d n1h2w1c150k150r1
conv2d n1h31w31c3k16r7s2
conv2d n1h13w13c8k8r2
conv2d n1h13w12c9k7r4s3p2 bias
conv2d n1h13w31c7k8r1x7p0
conv2d n1h31w13c8k7r5x1p0
conv2d n1h7w7c8k8r3p0
conv2d n1h13w13c8k16r3p5
conv2d n1h13w13c16k16r3s2d2
conv2d n1h7w8c9k16r1p2
conv2d n1h31w31c16k33r3s3p1
conv2d n1h60w60c64k16r1
conv2d n2h12w12c64k64r3
conv2d n1h15w15c64k64r3d2
conv2d n1h15w15c128k64r3d4
conv2d n1h8w8c256k128r1
conv2d n1h6w6c512k256r1
conv2d n1h6w6c520k40r3 bias
conv2d n1h1w1c2048k512r1
conv2d n1h6w6c512k21r1 bias
conv2d n1h13w13c33k31r3 integer
conv2d n2h31w7c16k17r3s2 bias integer
conv2d n2h12w12c48k40r1 bias integer
conv2d n1h13w13c17k16r3d12 integer
conv2d n1h7w7c150k33r3 integer
conv2d n1h13w13c17k33r3 nan
conv2d n1h7w7c16k16r1 bias nan
conv2d n1h13w13c16k9r3d2 inf

conv_transpose2d n0h7w7c8k8r4s2p1
conv_transpose2d n1h1w1c1k1r2s2
conv_transpose2d n2h7w13c3k7r4s2p1
conv_transpose2d n1h13w7c8k9r4s2p0
conv_transpose2d n1h7w7c17k17r8s4p2
conv_transpose2d n1h3w2c16k16r16s8p4
conv_transpose2d n2h7w3c9k15r3s2p1a1
conv_transpose2d n1h13w13c15k31r3s3p0a2
conv_transpose2d n1h7w8c33k8r3s1p1
conv_transpose2d n1h5w5c7k16r3s2d2p2a1
conv_transpose2d n1h6w6c21k21r4s2p0 integer
conv_transpose2d n1h7w7c8k16r4s2p1 nan

linear n3c17k33 bias
linear n1c1k1
linear n0c8k8 bias
linear n2c150k31
linear n3c512k150 bias
linear n1c15k16
linear n3c7k9
linear n2c3k1 bias
linear n2c33k17 bias integer

max_pool2d n0h7w7c8r3s2
max_pool2d n1h1w1c1r3s2
max_pool2d n2h2w3c3r3s2
max_pool2d n3h7w13c7r3s2
max_pool2d n1h31w31c17r3s2
max_pool2d n1h61w59c16r3s2
max_pool2d n1h60w60c33r2s2
max_pool2d n2h7w3c15r3s2
max_pool2d n1h13w13c9r5s1
max_pool2d n1h13w13c8r3s1p0
max_pool2d n2h13w13c31r3s2 ties
max_pool2d n1h7w7c150r3s2 integer
max_pool2d n1h13w13c17r3s2 nan
max_pool2d n1h13w13c16r3s2 inf
max_pool2d n1h7w8c9r2s2 ceil
max_pool2d n2h13w12c17r3s2p0 ceil
max_pool2d n1h2w3c7r3s2 ceil
max_pool2d n1h1w1c3r2s2 ceil
max_pool2d n1h31w13c33r3s2 ceil ties

max_unpool2d n0h7w7c8r2s2
max_unpool2d n1h1w1c1r2s2 ceil
max_unpool2d n2h7w13c3r2s2 ceil
max_unpool2d n3h13w7c7r2s2
max_unpool2d n1h31w31c17r2s2 ceil
max_unpool2d n1h60w60c16r2s2
max_unpool2d n1h59w61c9r2s2 ceil
max_unpool2d n2h7w3c15r3s3p0 ceil
max_unpool2d n1h13w13c31r3s2
max_unpool2d n1h13w13c33r2s2 ties
max_unpool2d n1h7w7c150r2s2 ceil integer

avg_pool2d n0h7w7c8r3s1
avg_pool2d n1h1w1c1r3s1
avg_pool2d n2h2w3c3r3s1
avg_pool2d n3h7w13c7r3s1
avg_pool2d n1h31w31c17r3s1
avg_pool2d n1h60w60c16r2s2
avg_pool2d n1h59w61c9r3s2
avg_pool2d n2h7w3c15r3s1p0
avg_pool2d n1h13w13c31r5s3p2
avg_pool2d n1h7w7c150r3s1 integer
avg_pool2d n1h13w13c33r3s1 offset
avg_pool2d n1h13w13c8r3s1 nan

adaptive_avg_pool2d n0h7w7c8b3
adaptive_avg_pool2d n1h1w1c1b1
adaptive_avg_pool2d n2h2w3c3b6
adaptive_avg_pool2d n3h7w13c7b3
adaptive_avg_pool2d n1h60w60c17b6
adaptive_avg_pool2d n1h61w59c16b2
adaptive_avg_pool2d n1h60w60c33b1
adaptive_avg_pool2d n1h13w31c150b3
adaptive_avg_pool2d n2h7w7c31b13
adaptive_avg_pool2d n1h1w2c9b7
adaptive_avg_pool2d n1h13w13c15b6 offset
adaptive_avg_pool2d n1h13w13c17b3 nan
adaptive_avg_pool2d n1h13w13c16b3 inf

adaptive_max_pool2d n0h7w7c8b3
adaptive_max_pool2d n1h1w1c1b1
adaptive_max_pool2d n2h2w3c3b6
adaptive_max_pool2d n3h7w13c7b3
adaptive_max_pool2d n1h60w60c17b6
adaptive_max_pool2d n1h61w59c16b2
adaptive_max_pool2d n1h13w31c150b1
adaptive_max_pool2d n1h1w2c9b7
adaptive_max_pool2d n2h7w7c15b3
adaptive_max_pool2d n1h13w7c33b6
adaptive_max_pool2d n2h13w13c31b3 ties
adaptive_max_pool2d n1h13w13c17b3 nan
)";

}  // namespace

std::string_view window_case_table() { return kWindowCases; }

}  // namespace giza
