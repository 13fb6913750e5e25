// Google Benchmark over the op case table: the convolutions of PSPNet50 at 473, forward and both gradients.
//   PASS/native/SHAPE            the algorithm that giza chooses (in the row's label)
//   PASS/ALGORITHM/SHAPE         each algorithm by force, for 3x3 kernels at stride 1
//   PASS/onednn/SHAPE            oneDNN as a backend of giza: NHWC in and out, with the reorders to its own layouts
//   PASS/eigen/SHAPE             Eigen as a backend of giza, for 1x1 kernels
//   PASS/onednn_best/SHAPE       oneDNN's direct primitive alone, made beforehand, operands in its favourite layouts
//   PASS/onednn_winograd/SHAPE   the same of its Winograd, where it has one
// Run alone on an idle machine: build/release/bench/giza_bench --benchmark_filter=forward/native
#include <benchmark/benchmark.h>

#include <string>

#include "bench/bench_numbers.h"
#include "bench/onednn_best.h"
#include "tensor/ops/conv2d.h"
#include "tests/support/op_cases.h"

namespace giza::bench {
namespace {

constexpr ConvPass kPasses[] = {ConvPass::forward, ConvPass::backward_input, ConvPass::backward_weight};

/// Counters by the direct algorithm's operations and by those executed.
void count(benchmark::State& state, const OpCase& op, double executed_flops) {
  const auto rate = [&](double flops) {
    return benchmark::Counter(1e-9 * flops * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
  };
  state.counters["GFLOP/s"] = rate(2 * op.macs());
  state.counters["executed"] = rate(executed_flops);
}

void run(benchmark::State& state, const OpCase& op, ConvPass pass, const Conv2dOptions& options) {
  const Tensor x = random_tensor(Tensor::activation(op.input()), 0);
  const Tensor w = random_tensor(Tensor::empty(op.weight()), 1);
  const Tensor dy = random_tensor(Tensor::activation(op.output()), 2);
  for ([[maybe_unused]] auto _ : state) {
    switch (pass) {
      case ConvPass::forward:
        benchmark::DoNotOptimize(ops::conv2d(x, w, Tensor(), options).data());
        break;
      case ConvPass::backward_input:
        benchmark::DoNotOptimize(ops::conv2d_backward_input(dy, w, x.shape(), options).data());
        break;
      case ConvPass::backward_weight:
        benchmark::DoNotOptimize(ops::conv2d_backward_weight(x, dy, w.shape(), options).data());
        break;
    }
  }
  if (conv_backend(op.weight(), options) == ConvBackend::native) {
    const ConvPlan plan = ops::plan_conv2d(pass, x.shape(), w.shape(), options);
    state.SetLabel(to_string(plan.algorithm));
    count(state, op, plan.executed_flops);
  } else {
    count(state, op, 2 * op.macs());
  }
}

void run_best(benchmark::State& state, const OpCase& op, ConvPass pass, OnednnAlgorithm algorithm) {
  const auto primitive = onednn_best(pass, algorithm, op.input(), op.weight(), op.conv());
  if (!primitive) {
    state.SkipWithError("oneDNN has no such algorithm for this shape on this processor");
    return;
  }
  primitive();  // warms up: page faults
  for ([[maybe_unused]] auto _ : state) primitive();
  // What its Winograd executes is not known.
  if (algorithm == OnednnAlgorithm::direct) {
    count(state, op, 2 * op.macs());
  } else {
    count(state, op, 0);
    state.counters.erase("executed");
  }
}

template <class Body>
void add(ConvPass pass, const std::string& who, const OpCase& op, const Body& body) {
  benchmark::RegisterBenchmark(fmt::format("{}/{}/{}", to_string(pass), who, op.name()).c_str(), body)
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

void add_native(ConvPass pass, const std::string& who, const OpCase& op, ConvAlgorithm algorithm) {
  Conv2dOptions options = op.conv();
  options.engine.algorithm = algorithm;
  add(pass, who, op, [=](benchmark::State& state) { run(state, op, pass, options); });
}

// Registration at start-up, because the table is read at run time.
const bool kRegistered = [] {
  for (const OpCase& op : op_cases("conv2d", CaseUse::bench)) {
    for (const ConvPass pass : kPasses) {
      add_native(pass, "native", op, ConvAlgorithm::automatic);
      if (op.kernel_h == 3 && op.kernel_w == 3 && op.stride == 1) {
        for (const ConvAlgorithm algorithm : conv_algorithms()) {
          if (algorithm == ConvAlgorithm::automatic || algorithm == ConvAlgorithm::fast) continue;
          add_native(pass, to_string(algorithm), op, algorithm);
        }
      }
      if (eigen_available() && conv_backend(op.weight(), op.conv(ConvBackend::eigen)) == ConvBackend::eigen) {
        add(pass, "eigen", op,
            [op, pass](benchmark::State& state) { run(state, op, pass, op.conv(ConvBackend::eigen)); });
      }
      if (!onednn_available()) continue;
      add(pass, "onednn", op,
          [op, pass](benchmark::State& state) { run(state, op, pass, op.conv(ConvBackend::onednn)); });
      add(pass, "onednn_best", op,
          [op, pass](benchmark::State& state) { run_best(state, op, pass, OnednnAlgorithm::direct); });
      if (op.kernel_h == 3 && op.stride == 1 && op.dilation == 1) {
        add(pass, "onednn_winograd", op,
            [op, pass](benchmark::State& state) { run_best(state, op, pass, OnednnAlgorithm::winograd); });
      }
    }
  }
  return true;
}();

}  // namespace
}  // namespace giza::bench
