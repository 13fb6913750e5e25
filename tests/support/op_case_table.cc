// The rows of the op case table for ops without windows, and the table as a whole; op_cases.h has the language.
#include <string>
#include <string_view>

#include "tests/support/op_cases.h"

namespace giza {
namespace {

// Sizes from {1,2,3,7,13,31,59,60,61}, batch 0 to 3, channels from {1,3,7,8,9,15,16,17,31,33,150}: a covering subset.
constexpr std::string_view kOtherCases = R"(
crop2d n1h7w13c8p1
crop2d n2h13w7c3p3
crop2d n1h5w6c17p2
crop2d n0h7w7c8p1
crop2d n1h31w31c9p15 nan

mirror_pad2d n1h7w13c8p3
mirror_pad2d n2h13w7c3p6
mirror_pad2d n1h2w3c17p5
mirror_pad2d n1h1w1c9p4
mirror_pad2d n0h7w7c8p1
mirror_pad2d n1h13w13c3p7 integer
mirror_pad2d n1h7w7c15p2 nan

max_channels n1h1w1c1
max_channels n2h7w13c3
max_channels n1h31w31c17
max_channels n3h2w3c150
max_channels n0h7w7c8
max_channels n1h13w7c9 ties
max_channels n1h7w7c8 nan

flatten n0h7w7c8
flatten n1h1w1c1
flatten n2h7w13c3
flatten n3h6w6c17
flatten n1h13w7c150
flatten n2h1w3c33
flatten n1h31w31c9 nan

l2_normalize n0h7w7c8
l2_normalize n1h1w1c1
l2_normalize n3h2w7c7
l2_normalize n2h13w13c17
l2_normalize n1h59w61c31
l2_normalize n1h60w3c3
l2_normalize n1h3w3c9
l2_normalize n2h3w1c15
l2_normalize n1h31w31c150
l2_normalize n1h7w7c520
l2_normalize n1h13w13c16 large
l2_normalize n1h13w13c33 offset

dropout n0h7w7c8
dropout n1h1w1c1
dropout n3h2w7c7
dropout n2h13w13c17
dropout n1h59w61c31
dropout n1h60w3c3
dropout n1h31w31c150
dropout n1h7w7c33 nan
dropout n1h7w7c16 inf

batch_norm_train n2h1w1c3
batch_norm_train n1h1w2c17 relu
batch_norm_train n3h7w13c1
batch_norm_train n2h13w7c7 relu
batch_norm_train n1h31w31c8 residual
batch_norm_train n2h13w13c9 relu residual
batch_norm_train n1h59w61c15
batch_norm_train n1h60w60c16 relu
batch_norm_train n2h31w13c17 relu residual
batch_norm_train n3h3w3c31
batch_norm_train n1h61w59c33 relu
batch_norm_train n2h7w7c150 relu residual
batch_norm_train n1h15w15c256 relu
batch_norm_train n2h13w13c17 offset
batch_norm_train n1h60w60c16 relu offset
batch_norm_train n2h7w13c16 residual constant
batch_norm_train n2h13w13c17 large
batch_norm_train n2h7w7c17 relu nan
batch_norm_train n2h7w7c16 inf

batch_norm_eval n0h7w7c8
batch_norm_eval n1h1w1c1
batch_norm_eval n3h7w13c3 relu
batch_norm_eval n2h13w7c17 residual
batch_norm_eval n1h31w31c33 relu residual
batch_norm_eval n1h60w60c16 relu
batch_norm_eval n1h59w61c7
batch_norm_eval n2h2w3c9 relu
batch_norm_eval n1h3w2c15
batch_norm_eval n1h7w3c31 residual
batch_norm_eval n2h7w7c150
batch_norm_eval n2h13w13c17 offset
batch_norm_eval n2h7w7c17 relu nan
batch_norm_eval n2h7w7c16 inf

relu n0h7w7c8
relu n1h1w1c1
relu n3h2w7c7
relu n2h13w13c17
relu n1h59w61c31
relu n1h60w3c3
relu n1h3w3c9
relu n2h3w1c15
relu n1h31w31c150 integer
relu n1h7w7c33 nan
relu n1h7w7c16 inf

add n0h7w7c8
add n1h1w1c1
add n3h2w7c9
add n2h13w13c17
add n1h59w61c31
add n1h60w3c3
add n1h3w3c7
add n2h3w1c15
add n1h31w31c150 integer
add n1h7w7c33 nan
add n1h7w7c16 inf

maximum n0h7w7c8
maximum n1h1w1c1
maximum n3h2w7c9
maximum n2h13w13c17
maximum n1h59w61c31
maximum n1h60w3c3
maximum n1h3w3c7
maximum n2h3w1c15 ties
maximum n1h31w31c150 integer
maximum n1h7w7c33 nan
maximum n1h7w7c16 inf

sum_rows n1h1w1c1
sum_rows n3h2w7c9
sum_rows n2h13w13c17
sum_rows n0h7w7c8
sum_rows n1h59w3c3
sum_rows n1h7w7c7
sum_rows n2h7w3c15
sum_rows n1h3w7c31
sum_rows n1h61w60c33
sum_rows n1h31w31c150 integer
sum_rows n2h13w13c16 offset

resize_bilinear n0h7w7c8o3x3
resize_bilinear n1h1w1c1o7x13
resize_bilinear n1h1w1c1o7x13 align
resize_bilinear n2h7w13c3o1x1
resize_bilinear n2h7w13c3o1x1 align
resize_bilinear n1h13w7c17o13x7
resize_bilinear n1h13w7c17o13x7 align
resize_bilinear n3h2w3c7o7x2
resize_bilinear n3h2w3c7o7x2 align
resize_bilinear n1h6w6c33o60x60 align
resize_bilinear n1h3w3c16o60x60 align
resize_bilinear n1h2w2c31o61x59 align
resize_bilinear n1h1w1c150o31x31 align
resize_bilinear n1h15w15c15o113x113 align
resize_bilinear n1h15w15c9o120x120
resize_bilinear n1h31w59c8o7x13
resize_bilinear n2h60w61c8o31x13
resize_bilinear n2h60w61c8o31x13 align
resize_bilinear n1h5w5c17o7x7 nan
resize_bilinear n1h5w5c17o7x7 align nan
resize_bilinear n1h5w5c16o7x7 inf
resize_bilinear n1h13w13c9o31x31 align offset

concat_channels n0h3w3c8c8
concat_channels n1h1w1c1
concat_channels n2h7w13c3c1c17
concat_channels n1h13w7c16c8c8c8c8
concat_channels n1h31w31c33c15c150
concat_channels n1h2w3c31c1
concat_channels n1h61w59c3c7
concat_channels n1h60w60c16c9
concat_channels n3h3w3c9c7 integer
concat_channels n1h7w7c17c16 nan

softmax n0h7w7c8
softmax n1h1w1c1
softmax n2h7w13c3
softmax n3h3w2c7
softmax n1h31w31c8
softmax n1h13w13c9
softmax n1h13w13c15
softmax n1h31w13c16
softmax n2h13w13c17
softmax n1h59w61c31
softmax n1h13w31c33
softmax n1h60w3c17
softmax n1h31w31c150
softmax n1h13w13c21 large
softmax n1h13w13c17 offset
softmax n1h7w7c33 constant
softmax n1h7w7c17 nan
softmax n1h7w7c16 inf

cross_entropy n0h7w7c8
cross_entropy n1h1w1c1
cross_entropy n2h7w13c3
cross_entropy n3h3w2c7 weights
cross_entropy n1h31w31c8
cross_entropy n1h13w13c9 weights
cross_entropy n1h31w13c16
cross_entropy n2h13w13c17 weights
cross_entropy n1h59w61c31
cross_entropy n1h13w31c33
cross_entropy n1h60w3c15
cross_entropy n1h31w31c150 weights
cross_entropy n2h7w7c21 ignored
cross_entropy n1h13w13c21 large
cross_entropy n1h13w13c17 offset
cross_entropy n1h7w7c33 constant
cross_entropy n1h7w7c17 nan

argmax n0h7w7c8
argmax n1h1w1c1
argmax n3h7w13c3
argmax n1h31w31c17
argmax n1h13w13c150
argmax n2h2w3c7
argmax n1h60w2c15
argmax n1h3w7c31
argmax n1h59w61c16 integer
argmax n2h13w13c33 ties
argmax n1h7w7c9 nan

upsample_cross_entropy n0h7w7c8o13x13 align
upsample_cross_entropy n1h1w1c1o1x1
upsample_cross_entropy n1h1w1c3o59x7 align
upsample_cross_entropy n2h2w3c7o31x13
upsample_cross_entropy n2h2w3c7o31x13 align weights
upsample_cross_entropy n1h8w8c17o60x61 align
upsample_cross_entropy n3h3w7c9o13x31 weights
upsample_cross_entropy n1h13w7c16o7x3 align
upsample_cross_entropy n1h31w13c15o3x60
upsample_cross_entropy n1h59w1c8o61x2 align
upsample_cross_entropy n1h2w60c17o3x91 align
upsample_cross_entropy n1h61w3c1o31x31 align
upsample_cross_entropy n1h7w9c33o7x9 align
upsample_cross_entropy n1h3w17c31o2x129 align
upsample_cross_entropy n1h4w6c150o25x41 align
upsample_cross_entropy n2h3w3c21o17x17 align ignored
upsample_cross_entropy n1h5w5c8o31x31 align large
upsample_cross_entropy n1h5w5c15o31x31 align offset
upsample_cross_entropy n1h5w5c17o13x13 align nan

upsample_argmax n0h7w7c8o13x13 align
upsample_argmax n1h1w1c1o1x1
upsample_argmax n1h1w1c3o7x59
upsample_argmax n2h2w3c9o31x13 align
upsample_argmax n1h59w1c8o61x2 align
upsample_argmax n1h31w60c7o13x91 align
upsample_argmax n1h61w13c1o31x31 align
upsample_argmax n1h8w8c16o61x60 align
upsample_argmax n3h3w7c15o13x31
upsample_argmax n1h13w7c17o2x3 align
upsample_argmax n1h3w17c31o2x129 align
upsample_argmax n1h5w5c33o9x9 ties
upsample_argmax n1h4w6c150o25x41 align
upsample_argmax n1h7w7c8o13x13 align large
upsample_argmax n1h7w7c7o13x13 align integer
upsample_argmax n1h7w7c9o13x13 align nan

dropout2d n0h7w7c8
dropout2d n1h1w1c1
dropout2d n3h7w13c7
dropout2d n2h13w13c17
dropout2d n1h31w31c150
dropout2d n2h2w3c3
dropout2d n1h59w61c9
dropout2d n1h60w3c15
dropout2d n2h7w3c16
dropout2d n3h3w1c31
dropout2d n2h7w7c33 nan
)";

}  // namespace

std::string_view op_case_table(CaseUse use) {
  static const std::string all = std::string(window_case_table()) + std::string(kOtherCases);
  return use == CaseUse::test ? std::string_view(all) : bench_case_table();
}

}  // namespace giza
