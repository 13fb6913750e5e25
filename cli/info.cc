// giza info: what this build and this machine are.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <string>

#include "cli/command.h"
#include "cli/info_model.h"
#include "cli/peak_figures.h"
#include "models/onnx/export.h"
#include "tensor/base/machine.h"
#include "tensor/parallel.h"
#include "tensor/profile/peak.h"
#include "tensor/simd.h"
#include "train/cost/memory_limit.h"

namespace giza::cli {
namespace {

double gigabytes(int64_t bytes) { return static_cast<double>(bytes) / 1e9; }

class InfoCommand : public Command {
 public:
  InfoCommand()
      : Command("info", "this build and this machine: SIMD target, threads, optional parts, measured peak",
                R"(The peak is measured on the spot and takes a second: float32 fused multiply-adds that stay in
registers, and copies of memory larger than the caches. It is the yardstick for the shares that
benchmarks print.

With --config nothing is measured or run: a table of every convolution of the configured network,
at its training crop and batch and at one test crop: its shape, the algorithm of each pass, which
is a function of shape and SIMD target (--isa) or forced by --algorithm, and the operations of the
direct algorithm and of the one chosen. With --json one line
  {config, isa, conv, algorithm, network, loss: {aux_weight, ignore_label, class_weights},
   steps: [{step, input, convolutions: [{layer, shape, forward: {algorithm, gflop, executed_gflop},
   backward_input, backward_weight, gflop, executed_gflop}], total}]}
where a pass that does not run is null. The shape is what `giza profile --op 'conv2d SHAPE'` takes.

  giza info --config psp50.yaml TRAIN.batch_size 2 --algorithm fast)") {}

  void declare(CLI::App& app) override {
    arguments_.declare(app, /*required=*/false);
    app.add_flag("--no-peak", no_peak_, "do not measure");
  }

  int run(const Common& common) override {
    return arguments_.given() ? info_model(arguments_.load(common), common) : info_machine(common);
  }

 private:
  int info_machine(const Common& common) const;

  ConfigArguments arguments_;
  bool no_peak_ = false;
};

int InfoCommand::info_machine(const Common& common) const {
  const bool measure = !no_peak_;
  const std::string cpu = processor_name(), compiler = compiler_name();
  const double memory_gb = gigabytes(physical_memory());
  const double available_gb = gigabytes(train::available_bytes().value_or(0));
  nlohmann::ordered_json json = {
      {"version", GIZA_VERSION},
      {"compiler", compiler},
      {"cpu", cpu},
      {"processors", sysconf(_SC_NPROCESSORS_ONLN)},
      {"memory_gb", memory_gb},
      {"memory_available_gb", available_gb},
      {"isa", isa()},
      {"isa_targets", isa_targets()},
      {"threads", num_threads()},
      {"thread_backend", thread_backend()},
      {"conv", common.conv.empty() ? "native" : common.conv},
      {"onednn", onednn_available()},
      {"eigen", eigen_available()},
      {"protobuf", models::onnx_available()},
      {"mpi", false},
  };
  const MachinePeak peak = measure ? measure_peak() : MachinePeak{};
  if (measure) json["peak"] = peak_json(peak);
  if (common.json) {
    print_json(json);
    return 0;
  }
  fmt::print("giza         {}, built by {}\n", GIZA_VERSION, compiler);
  fmt::print("CPU          {}, {} processors\n", cpu, sysconf(_SC_NPROCESSORS_ONLN));
  fmt::print("memory       {:.1f} GB, {:.1f} GB available\n", memory_gb, available_gb);
  fmt::print("SIMD target  {} (of {}; choose with --isa)\n", isa(), fmt::join(isa_targets(), ", "));
  fmt::print("threads      {} by {} (choose with --threads)\n", num_threads(), thread_backend());
  fmt::print("convolution  {} (of native, {}{}reference; choose with --conv)\n", json["conv"].get<std::string>(),
             onednn_available() ? "onednn, " : "", eigen_available() ? "eigen, " : "");
  fmt::print("oneDNN       {}\n", onednn_available() ? "found" : "not found when this was built");
  fmt::print("Eigen        {}\n", eigen_available() ? "found" : "not found when this was built");
  fmt::print("protobuf     {}\n", models::onnx_available() ? "found: ONNX export and TensorBoard events"
                                                           : "not found when this was built: no ONNX, no TensorBoard");
  fmt::print("MPI          not built in\n");
  if (measure) {
    fmt::print("peak         {:.0f} GFLOP/s on one core, {:.0f} on {} threads (float32 FMA, measured)\n",
               peak.core_gflops, peak.all_gflops, num_threads());
    fmt::print("bandwidth    {:.1f} GB/s copying, {:.1f} with non-temporal stores (measured)\n", peak.copy_gbs,
               peak.stream_gbs);
  }
  return 0;
}

}  // namespace

std::unique_ptr<Command> info_command() { return std::make_unique<InfoCommand>(); }

}  // namespace giza::cli
