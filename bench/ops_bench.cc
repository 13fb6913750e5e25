// Google Benchmark over the op case table: convolutions of PSPNet50 at 473, forward and both gradients, each backend.
// Run alone on an idle machine: build/release/bench/giza_bench --benchmark_filter=forward/native
#include <benchmark/benchmark.h>

#include "tensor/ops/conv2d.h"
#include "tensor/random.h"
#include "tests/support/op_cases.h"

namespace giza {
namespace {

enum class Pass { forward, backward_input, backward_weight };

Tensor random_tensor(Tensor tensor, uint32_t item) {
  Random random(7, Purpose::test, 0, item);
  for (int64_t i = 0; i < tensor.rows(); ++i) {
    for (int64_t c = 0; c < tensor.channels(); ++c) tensor.row(i)[c] = random.next_uniform(-1, 1);
  }
  return tensor;
}

void run(benchmark::State& state, const OpCase& op, Pass pass, ConvBackend backend) {
  const Conv2dOptions options = op.conv(backend);
  const Tensor x = random_tensor(Tensor::activation(op.input()), 0);
  const Tensor w = random_tensor(Tensor::empty(op.weight()), 1);
  const Tensor dy = random_tensor(Tensor::activation(op.output()), 2);
  for ([[maybe_unused]] auto _ : state) {
    switch (pass) {
      case Pass::forward:
        benchmark::DoNotOptimize(ops::conv2d(x, w, Tensor(), options).data());
        break;
      case Pass::backward_input:
        benchmark::DoNotOptimize(ops::conv2d_backward_input(dy, w, x.shape(), options).data());
        break;
      case Pass::backward_weight:
        benchmark::DoNotOptimize(ops::conv2d_backward_weight(x, dy, w.shape(), options).data());
        break;
    }
  }
  state.counters["GFLOP/s"] =
      benchmark::Counter(2e-9 * op.macs() * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

// Registration at start-up, because the table is read at run time.
const bool kRegistered = [] {
  const std::pair<const char*, Pass> passes[] = {
      {"forward", Pass::forward}, {"backward_input", Pass::backward_input}, {"backward_weight", Pass::backward_weight}};
  std::vector<std::pair<const char*, ConvBackend>> backends = {{"native", ConvBackend::native}};
  if (onednn_available()) backends.emplace_back("onednn", ConvBackend::onednn);
  for (const OpCase& op : op_cases("conv2d", CaseUse::bench)) {
    for (const auto& [pass_name, pass] : passes) {
      for (const auto& [backend_name, backend] : backends) {
        benchmark::RegisterBenchmark(
            fmt::format("{}/{}/{}", pass_name, backend_name, op.name()).c_str(),
            [op, pass = pass, backend = backend](benchmark::State& state) { run(state, op, pass, backend); })
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond);
      }
    }
  }
  return true;
}();

}  // namespace
}  // namespace giza
