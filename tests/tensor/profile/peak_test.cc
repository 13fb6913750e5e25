// The loops behind the measured peak do what they count.
#include "tensor/profile/peak.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "tensor/kernels/peak.h"
#include "tensor/simd.h"
#include "tensor/tensor.h"
#include "tests/support/scopes.h"

namespace giza {

TEST_CASE("peak loops on every target") {
  const IsaScope restore;
  for (const std::string& target : isa_targets()) {
    CAPTURE(target);
    set_isa(target);
    float sink = 0;
    const double flops = kernels::fma_rounds(1, &sink);
    const double lanes = flops / 24;  // 12 sums, two operations each
    CHECK(lanes == std::round(lanes));
    CHECK(kernels::fma_rounds(1000, &sink) == 1000 * flops);
    // After many rounds each sum is 1.
    CHECK(sink == doctest::Approx(12 * lanes));

    constexpr int64_t kFloats = 1024;
    const Tensor x = Tensor::empty({kFloats});
    std::iota(x.data(), x.data() + kFloats, 1.0F);
    const Tensor y = Tensor::zeros({kFloats});
    kernels::stream_copy(x.data(), y.data(), kFloats - 16);
    CHECK(std::equal(x.data(), x.data() + kFloats - 16, y.data()));
    CHECK(std::all_of(y.data() + kFloats - 16, y.data() + kFloats, [](float v) { return v == 0; }));
  }
}

TEST_CASE("measured rates are plausible") {
  const MachinePeak peak = measure_peak();
  CHECK(peak.core_gflops > 0.001);  // in an emulator, too
  CHECK(peak.core_gflops < 5000);
  CHECK(peak.copy_gbs > 0.01);
  CHECK(peak.stream_gbs < 5000);
}

}  // namespace giza
