// The rows of the op case table that are timed; op_cases.h has the language.
#include <string_view>

#include "tests/support/op_cases.h"

namespace giza {
namespace {

// PSPNet50 at 473 x 473 with 150 classes: every kind of layer, biggest cost first within an op.
constexpr std::string_view kBenchCases = R"(
conv2d n1h60w60c4096k512r3
conv2d n1h60w60c512k512r3d4
conv2d n1h60w60c256k256r3d2
conv2d n1h60w60c128k128r3
conv2d n1h119w119c64k64r3
conv2d n1h119w119c128k128r3s2
conv2d n1h237w237c64k128r3
conv2d n1h237w237c64k64r3
conv2d n1h473w473c3k64r3s2
conv2d n1h60w60c1024k2048r1
conv2d n1h60w60c2048k512r1
conv2d n1h60w60c512k2048r1
conv2d n1h60w60c1024k256r1
conv2d n1h60w60c256k1024r1
conv2d n1h60w60c512k128r1
conv2d n1h60w60c128k512r1
conv2d n1h119w119c256k512r1s2
conv2d n1h119w119c256k64r1
conv2d n1h119w119c64k256r1
conv2d n1h60w60c512k150r1 bias
conv2d n1h6w6c2048k512r1
conv2d n8h13w25c128k128r3d4
conv2d n8h30w40c128k128r3d4
conv2d n8h49w97c16k32r3
conv2d n8h120w160c16k32r3
conv2d n8h240w320c3k16r3s2

linear n16c2048k1000 bias

batch_norm_train n2h60w60c2048 relu residual
batch_norm_train n2h60w60c512 relu
batch_norm_train n2h119w119c256 relu residual
batch_norm_train n2h119w119c64 relu
batch_norm_train n2h237w237c128 relu
batch_norm_eval n1h60w60c2048 relu residual
batch_norm_eval n1h119w119c64 relu

relu n2h60w60c2048
add n2h60w60c2048
sum_rows n2h473w473c150

max_pool2d n2h237w237c128r3s2
max_unpool2d n2h237w237c64r2s2 ceil
avg_pool2d n2h60w60c512r3s1

maximum n2h60w60c150
l2_normalize n2h60w60c512
dropout n2h60w60c512
conv_transpose2d n1h60w60c21k21r16s8p4

adaptive_avg_pool2d n2h60w60c2048b6
adaptive_avg_pool2d n2h60w60c2048b1
adaptive_max_pool2d n2h60w60c2048b6

resize_bilinear n2h6w6c512o60x60 align
resize_bilinear n2h1w1c512o60x60 align
resize_bilinear n1h60w60c150o473x473 align

crop2d n1h160w160c21p19
mirror_pad2d n1h528w528c3p186
max_channels n1h60w60c115

concat_channels n1h60w60c2048c512c512c512c512

softmax n1h473w473c150
cross_entropy n1h473w473c150
argmax n1h473w473c150
dropout2d n2h60w60c512

upsample_cross_entropy n2h60w60c150o473x473 align
upsample_cross_entropy n8h30w40c11o240x320 align
upsample_argmax n1h60w60c150o473x473 align
)";

}  // namespace

std::string_view bench_case_table() { return kBenchCases; }

}  // namespace giza
