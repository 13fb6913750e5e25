// giza info: what this build and this machine are; with --config, how a network's convolutions are computed.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/profile_op.h"
#include "models/onnx/export.h"
#include "models/weights/infer.h"
#include "tensor/base/machine.h"
#include "tensor/parallel.h"
#include "tensor/profile/peak.h"
#include "tensor/ranks.h"
#include "tensor/simd.h"
#include "train/config/parts.h"
#include "train/cost/memory.h"
#include "train/cost/profile_summary.h"
#include "train/cost/profile_table.h"
#include "train/cost/rehearsal.h"

namespace giza::cli {
namespace {

using nlohmann::ordered_json;

struct Work {
  double direct = 0, executed = 0;

  Work& operator+=(const Work& other) {
    direct += other.direct;
    executed += other.executed;
    return *this;
  }
};

using PassUse = train::ConvolutionUse::PassUse;

/// One kind of step: its name, its input, and the convolutions that it runs.
struct Step {
  std::string name;
  Shape x;
  bool training;
  std::vector<train::ConvolutionUse> uses = {};
  std::string refusal = {};  ///< why it cannot run, such as a batch of 1 in training

  size_t passes() const { return training ? 3 : 1; }
};

constexpr const char* kPassNames[] = {"forward", "backward_input", "backward_weight"};

Work work_of(const PassUse& pass) { return {pass.flops, pass.executed}; }

Work total_of(const train::ConvolutionUse& use) {
  Work sum;
  for (const PassUse& pass : use.passes) sum += work_of(pass);
  return sum;
}

Work total_of(const std::vector<train::ConvolutionUse>& uses) {
  Work sum;
  for (const train::ConvolutionUse& use : uses) sum += total_of(use);
  return sum;
}

ordered_json gflop(const Work& work) { return {{"gflop", work.direct / 1e9}, {"executed_gflop", work.executed / 1e9}}; }

ordered_json step_json(const Step& step) {
  ordered_json list = ordered_json::array();
  for (const train::ConvolutionUse& use : step.uses) {
    ordered_json item = {{"layer", use.layer}, {"shape", use.shape}};
    for (size_t i = 0; i < step.passes(); ++i) {
      const PassUse& choice = use.passes[i];
      ordered_json pass = nullptr;
      if (!choice.algorithm.empty()) {
        pass = {{"algorithm", choice.algorithm}};
        pass.update(gflop(work_of(choice)));
      }
      item[kPassNames[i]] = std::move(pass);
    }
    item.update(gflop(total_of(use)));
    list.push_back(std::move(item));
  }
  ordered_json json = {{"step", step.name}, {"input", {step.x[0], step.x[1], step.x[2], step.x[3]}}};
  if (!step.refusal.empty()) json["refused"] = step.refusal;
  json["convolutions"] = std::move(list);
  json["total"] = gflop(total_of(step.uses));
  return json;
}

void print_step(const Step& step) {
  const auto number = [](double flops) { return fmt::format("{:.2f}", flops / 1e9); };
  fmt::print("\n{}, {}\n", step.name, step.x);
  if (!step.refusal.empty()) {
    fmt::print("cannot run: {}\n", step.refusal);
    return;
  }
  std::vector<std::string> heading = {"layer", "GFLOP", "executed", "shape", "forward"};
  if (step.training) heading.insert(heading.end(), {"backward input", "backward weight"});
  const size_t words = heading.size() - 3;
  train::TextTable table(heading);
  const auto add = [&](const std::string& name, const Work& work, std::vector<std::string> rest) {
    std::vector<std::string> line = {name, number(work.direct), number(work.executed)};
    line.insert(line.end(), rest.begin(), rest.end());
    table.add(std::move(line));
  };
  for (const train::ConvolutionUse& use : step.uses) {
    std::vector<std::string> rest = {use.shape};
    for (size_t i = 0; i < step.passes(); ++i) {
      const std::string& algorithm = use.passes[i].algorithm;
      rest.push_back(algorithm.empty() ? "-" : algorithm);
    }
    add(use.layer, total_of(use), std::move(rest));
  }
  std::vector<std::string> rest = {fmt::format("{} convolutions", step.uses.size())};
  for (size_t i = 0; i < step.passes(); ++i) {
    Work pass;
    for (const train::ConvolutionUse& use : step.uses) pass += work_of(use.passes[i]);
    rest.push_back(fmt::format("{} / {}", number(pass.direct), number(pass.executed)));
  }
  add("total", total_of(step.uses), std::move(rest));
  fmt::print("{}", table.text(28, words));
}

/// Prints every convolution at the training crop and batch and, forward only, at one test crop: its shape, the
/// algorithms, and their work. Runs nothing. Throws Refusal for a configuration that no network fits.
int info_model(const train::Config& config, const Common& common) {
  const train::TestConfig& test = config.test;
  const auto step = [&](std::string name, Shape x, bool training) {
    Step result{std::move(name), x, training};
    try {
      result.uses = train::convolutions_of(train::rehearse_step(config, x, training));
    } catch (const Refusal& refusal) {
      if (!training) throw;
      result.refusal = refusal.what();
    }
    return result;
  };
  const train::PictureSize sample = train::largest_sample(config.train);
  const Step steps[] = {step("training step", {config.train.batch_size, sample.height, sample.width, 3}, true),
                        step(test.whole_image ? "a test picture as large as the crop" : "one test crop",
                             {1, test.test_h, test.test_w, 3}, false)};
  const models::NetworkOptions network = train::model_options(config);
  const ConvEngine engine = network.backbone.conv;
  if (common.json) {
    ordered_json json = {{"config", config.file},
                         {"isa", isa()},
                         {"conv", config.train.conv},
                         {"algorithm", to_string(engine.algorithm)},
                         {"network", ordered_json::parse(models::options_to_json(network))},
                         {"loss",
                          {{"aux_weight", config.train.aux_weight},
                           {"ignore_label", config.train.ignore_label},
                           {"class_weights", config.train.class_weights.values}}}};
    for (const Step& each : steps) json["steps"].push_back(step_json(each));
    print_json(json);
    return 0;
  }
  fmt::print("{}: convolutions by {}{}, SIMD target {}\n", config.file, config.train.conv,
             engine.backend == ConvBackend::native ? fmt::format(" (--algorithm {})", to_string(engine.algorithm)) : "",
             isa());
  for (const Step& each : steps) print_step(each);
  fmt::print(
      "\nGFLOP: operations of the direct algorithm, all passes shown; executed: of the algorithms chosen. In the line\n"
      "of totals, both for each pass.{}\n",
      config.train.arch == "psp" && engine.backend == ConvBackend::native
          ? " cls.0 is its part on the feature map: its part on the pyramid's maps is no convolution\n"
            "of theirs upsampled, but products on their cells (docs/structured-head.md)."
          : "");
  return 0;
}

double gigabytes(int64_t bytes) { return static_cast<double>(bytes) / 1e9; }

class InfoCommand : public Command {
 public:
  InfoCommand()
      : Command("info", "this build and this machine: SIMD target, threads, parts, peak",
                R"(The peak is measured on the spot and takes a second: float32 fused multiply-adds that stay in
registers, and copies of memory larger than the caches. It is the yardstick for the shares that
benchmarks print.

With --config nothing is measured or run: a table of every convolution of the configured network,
at its training crop and batch and at one test crop: its shape, the algorithm of each pass, which
is a function of the shape or forced by --algorithm, and the operations of the direct algorithm
and of the one chosen. With --json one line
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
  int info_machine(const Common& common) const {
    const bool measure = !no_peak_;
    const std::string cpu = processor_name(), compiler = compiler_name();
    const double memory_gb = gigabytes(physical_memory());
    const double available_gb = gigabytes(available_bytes().value_or(0));
    ordered_json json = {
        {"version", GIZA_VERSION},
        {"compiler", compiler},
        {"cpu", cpu},
        {"processors", sysconf(_SC_NPROCESSORS_ONLN)},
        {"memory_gb", memory_gb},
        {"memory_available_gb", available_gb},
        {"isa", isa()},
        {"isa_targets", isa_targets()},
        {"isa_fuses", isa_fuses(isa())},
        {"threads", num_threads()},
        {"conv", common.conv.empty() ? "native" : common.conv},
        {"onednn", onednn_available()},
        {"eigen", eigen_available()},
        {"protobuf", models::onnx_available()},
        {"mpi", !ranks::library().empty()},
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
    if (!isa_fuses(isa())) {
      fmt::print("             no fused multiply-add: other last bits than with AVX2, AVX-512 or NEON\n");
    }
    fmt::print("threads      {} (choose with --threads)\n", num_threads());
    fmt::print("convolution  {} (of native, {}{}reference; choose with --conv)\n", json["conv"].get<std::string>(),
               onednn_available() ? "onednn, " : "", eigen_available() ? "eigen, " : "");
    fmt::print("oneDNN       {}\n", onednn_available() ? "found" : "not found when this was built");
    fmt::print("Eigen        {}\n", eigen_available() ? "found" : "switched off when this was built");
    fmt::print("protobuf     {}\n", models::onnx_available()
                                        ? "found: ONNX export and TensorBoard events"
                                        : "not found when this was built: no ONNX, no TensorBoard");
    fmt::print("MPI          {}\n", ranks::library().empty() ? "not found when this was built" : ranks::library());
    if (measure) {
      fmt::print("peak         {:.0f} GFLOP/s on one core, {:.0f} on {} threads (float32 FMA, measured)\n",
                 peak.core_gflops, peak.all_gflops, num_threads());
      fmt::print("bandwidth    {:.1f} GB/s copying, {:.1f} with non-temporal stores (measured)\n", peak.copy_gbs,
                 peak.stream_gbs);
    }
    return 0;
  }

  ConfigArguments arguments_;
  bool no_peak_ = false;
};

}  // namespace

std::unique_ptr<Command> info_command() { return std::make_unique<InfoCommand>(); }

}  // namespace giza::cli
