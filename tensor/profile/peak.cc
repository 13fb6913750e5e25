// Measures what this machine can do at most.
#include "tensor/profile/peak.h"

#include <algorithm>
#include <vector>

#include "tensor/base/stopwatch.h"
#include "tensor/kernels/elementwise.h"
#include "tensor/kernels/peak.h"
#include "tensor/parallel.h"
#include "tensor/tensor.h"

namespace giza {
namespace {

/// Operations per second of `tasks` loops at once, best of several.
double fma_rate(int tasks) {
  constexpr int kTries = 5;
  constexpr double kSeconds = 0.02;
  constexpr size_t kLine = 16;  // sinks a cache line apart, so that threads do not share one
  std::vector<float> sinks(static_cast<size_t>(tasks) * kLine);
  int64_t rounds = 1 << 16;
  rounds = static_cast<int64_t>(kSeconds / seconds_of([&] { kernels::fma_rounds(rounds, sinks.data()); }) *
                                static_cast<double>(rounds)) +
           1;
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    const double seconds = seconds_of([&] {
      parallel_for(tasks,
                   [&](int64_t task) { kernels::fma_rounds(rounds, &sinks[static_cast<size_t>(task) * kLine]); });
    });
    const double flops = kernels::fma_rounds(1, sinks.data()) * static_cast<double>(rounds) * tasks;
    best = std::max(best, flops / seconds);
  }
  return best;
}

/// Bytes per second of copying x to y in blocks, best of several.
template <class Copy>
double copy_rate(const Tensor& x, const Tensor& y, Copy&& copy) {
  constexpr int kTries = 4;
  constexpr int64_t kBlock = int64_t{1} << 16;
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    const double seconds = seconds_of([&] {
      parallel_for(x.numel() / kBlock,
                   [&](int64_t task) { copy(x.data() + task * kBlock, y.data() + task * kBlock, kBlock); });
    });
    best = std::max(best, 8.0 * static_cast<double>(x.numel()) / seconds);
  }
  return best;
}

}  // namespace

MachinePeak measure_peak() {
  constexpr double kGiga = 1e9;
  constexpr int64_t kFloats = int64_t{1} << 24;  // 64 MB each: more than the last cache of a small machine
  MachinePeak peak;
  peak.core_gflops = fma_rate(1) / kGiga;
  peak.all_gflops = fma_rate(num_threads()) / kGiga;
  const Tensor x = Tensor::zeros({kFloats});
  const Tensor y = Tensor::zeros({kFloats});
  peak.copy_gbs = copy_rate(x, y,
                            [](const float* from, float* to, int64_t n) {
                              kernels::copy_rows({from, n}, {to, n}, 1, n);
                            }) /
                  kGiga;
  peak.stream_gbs = copy_rate(x, y, kernels::stream_copy) / kGiga;
  return peak;
}

MachinePeak faster(const MachinePeak& a, const MachinePeak& b) {
  return {std::max(a.core_gflops, b.core_gflops), std::max(a.all_gflops, b.all_gflops),
          std::max(a.copy_gbs, b.copy_gbs), std::max(a.stream_gbs, b.stream_gbs)};
}

}  // namespace giza
