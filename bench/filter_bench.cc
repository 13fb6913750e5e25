// Google Benchmark of the filters between pixels that the fully connected CRF is made of: 360 x 480 pixels of smooth
// regions with noise, 11 classes, DeepLab's deviations. bench/versus/crf.py holds the whole CRF against another
// program.
#include <benchmark/benchmark.h>

#include "bench/bench_numbers.h"
#include "tensor/ops/exact_filter.h"
#include "tensor/ops/permutohedral.h"

namespace giza::bench {
namespace {

/// Positions over xy, and colours over 3 for five dimensions.
Tensor features_of(int64_t height, int64_t width, int dimension, float xy) {
  Tensor features = Tensor::empty({1, height, width, dimension});
  Random random(8, Purpose::test);
  for (int64_t i = 0; i < features.rows(); ++i) {
    const int64_t y = i / width, x = i % width;
    features.row(i)[0] = static_cast<float>(x) / xy;
    features.row(i)[1] = static_cast<float>(y) / xy;
    for (int k = 2; k < dimension; ++k) {
      const auto region = static_cast<float>((x / 60 * 37 + y / 45 * 53 + k * 71) % 200);
      features.row(i)[k] = (region + random.next_uniform(-4, 4)) / 3;
    }
  }
  return features;
}

template <class Filter>
void filter(benchmark::State& state, const Tensor& features) {
  const Filter made(features);
  const Tensor x = random_tensor(Tensor::empty({features.rows(), ops::filter_width(11)}), 1),
               y = Tensor::empty(x.shape());
  made.add(x, x, y);  // warms up: page faults
  for ([[maybe_unused]] auto _ : state) made.add(x, x, y);
}

void build(benchmark::State& state, const Tensor& features) {
  int64_t points = 0;
  for ([[maybe_unused]] auto _ : state) points = ops::PermutohedralLattice(features).points();
  state.counters["points"] = static_cast<double>(points);
}

const bool kRegistered = [] {
  const auto add = [](const char* name, auto body, const Tensor& features) {
    benchmark::RegisterBenchmark(name, [=](benchmark::State& state) { body(state, features); })
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  };
  const Tensor bilateral = features_of(360, 480, 5, 67), gaussian = features_of(360, 480, 2, 1);
  add("lattice_build/h360w480d5", build, bilateral);
  add("lattice_build/h360w480d2", build, gaussian);
  add("lattice_filter/h360w480d5c11", filter<ops::PermutohedralLattice>, bilateral);
  add("lattice_filter/h360w480d2c11", filter<ops::PermutohedralLattice>, gaussian);
  add("exact_filter/h40w48d5c11", filter<ops::ExactFilter>, features_of(40, 48, 5, 67));
  return true;
}();

}  // namespace
}  // namespace giza::bench
