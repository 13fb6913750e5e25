// giza profile: where the time of a step goes, per kernel and per layer.
#include "tensor/profile/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/command.h"
#include "cli/peak_figures.h"
#include "cli/profile_op.h"
#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/base/machine.h"
#include "tensor/parallel.h"
#include "tensor/profile/counters.h"
#include "tensor/profile/peak.h"
#include "tensor/simd.h"
#include "train/cost/profile_summary.h"
#include "train/cost/profile_table.h"
#include "train/cost/roofline.h"
#include "train/cost/trace.h"
#include "train/model_step.h"
#include "train/progress.h"

namespace giza::cli {
namespace {

using nlohmann::ordered_json;
using train::WorkTotal;

struct Options {
  train::ModelStepOptions step;
  std::string mode = "infer";
  int runs = 0;
  bool layers = false, kernels = false, all = false;
  std::string op, svg, trace;
};

struct Measured {
  train::ProfileSummary summary;
  MachinePeak peak;
  std::vector<profile::Event> events;
  std::string why_no_counters;  // empty if there are some
};

Measured measure(const Options& options) {
  const std::function<void()> step = train::make_model_step(options.step);
  train::Progress progress("profile", options.runs + 1, "step");
  step();  // warms up: page faults, threads
  // The peaks before and after.
  const MachinePeak before = measure_peak();
  profile::HardwareCounters counters;
  Measured measured;
  {
    const profile::Recording recording(counters.available() ? &counters : nullptr);
    for (int i = 0; i < options.runs; ++i) {
      progress.update(i + 1);
      const profile::Span span(fmt::format("step {}", i + 1));
      step();
    }
    measured.events = recording.events();
  }
  progress.update(options.runs + 1);
  progress.finish();
  measured.peak = faster(before, measure_peak());
  measured.summary = train::summarize(measured.events);
  measured.why_no_counters = counters.why_not();
  return measured;
}

ordered_json figures(const WorkTotal& total, const Measured& measured) {
  ordered_json json = {{"calls", total.calls},
                       {"seconds", total.seconds},
                       {"share", total.seconds / measured.summary.wall_s},
                       {"gflops", total.gflops()},
                       {"executed_gflops", total.executed_gflops()},
                       {"gbs", total.gbs()},
                       {"intensity", total.intensity()},
                       {"fma_share", total.executed_gflops() / measured.peak.all_gflops},
                       {"bandwidth_share", total.gbs() / WorkTotal::bandwidth(measured.peak)},
                       {"bound", total.compute_bound(measured.peak) ? "compute" : "memory"}};
  if (measured.why_no_counters.empty()) {
    json["cycles"] = total.counts.cycles;
    json["instructions"] = total.counts.instructions;
    json["llc_misses"] = total.counts.llc_misses;
  }
  return json;
}

ordered_json to_json(const Options& options, const Common& common, const Measured& measured) {
  const train::ProfileSummary& summary = measured.summary;
  ordered_json kernels = ordered_json::array(), layers = ordered_json::array();
  for (const train::KernelRow& row : summary.kernels) {
    ordered_json item = {{"kernel", row.kernel}, {"algorithm", row.algorithm}};
    item.update(figures(row.total, measured));
    kernels.push_back(std::move(item));
  }
  for (const train::LayerRow& row : summary.layers) {
    ordered_json item = {{"layer", row.layer},
                         {"forward_s", row.forward.seconds},
                         {"backward_s", row.backward.seconds},
                         {"update_s", row.update.seconds}};
    item.update(figures(row.all(), measured));
    layers.push_back(std::move(item));
  }
  ordered_json json = {{"mode", options.mode}};
  if (options.step.weights.empty()) {
    json["depth"] = options.step.depth;
    json["classes"] = options.step.classes;
    json["width"] = options.step.width;
  } else {
    json["weights"] = options.step.weights;
  }
  json.update(ordered_json{
      {"size", options.step.size},
      {"batch", options.step.batch},
      {"cpu", processor_name()},
      {"threads", num_threads()},
      {"isa", isa()},
      {"conv", common.conv.empty() ? "native" : common.conv},
      {"algorithm", common.algorithm.empty() ? "auto" : common.algorithm},
      {"runs", options.runs},
      {"peak", peak_json(measured.peak)},
      {"step_s", summary.wall_s},
      {"steps_s", summary.steps_s},
      {"attributed_s", summary.attributed_s},
      {"unattributed_s", summary.unattributed_s()},
      {"unattributed_share", summary.unattributed_s() / summary.wall_s},
      {"counters", measured.why_no_counters.empty() ? ordered_json(true) : ordered_json(measured.why_no_counters)}});
  json["kernels"] = std::move(kernels);
  json["layers"] = std::move(layers);
  return json;
}

std::string title(const Options& options) {
  const std::string network = options.step.weights.empty()
                                  ? fmt::format("PSPNet{}, {} classes", options.step.depth, options.step.classes)
                                  : std::filesystem::path(options.step.weights).filename().string();
  return fmt::format("{}, {}x{}, batch {}: {}", network, options.step.size, options.step.size, options.step.batch,
                     options.step.training ? "training step" : "forward pass");
}

std::string subtitle(const Measured& measured) {
  return fmt::format("{}, {}, {} thread{}; {:.3f} s a step (median of {})", processor_name(), isa(), num_threads(),
                     num_threads() == 1 ? "" : "s", measured.summary.wall_s, measured.summary.steps_s.size());
}

void print_tables(const Options& options, const Measured& measured) {
  const bool both = options.layers == options.kernels;
  fmt::print("{}\n{}\n{}\n", title(options), subtitle(measured), peak_line(measured.peak));
  if (both || options.kernels) {
    fmt::print("\nkernels of the median step\n{}", train::kernel_table(measured.summary, measured.peak));
  }
  if (both || options.layers) {
    constexpr size_t kUsual = 25;
    fmt::print(
        "\nlayers of the median step, with the ms of the forward and backward pass and the update\n{}",
        train::layer_table(measured.summary, measured.peak, options.all ? std::numeric_limits<size_t>::max() : kUsual));
  }
  if (!measured.why_no_counters.empty()) {
    fmt::print("\nno hardware counters: {}\n", measured.why_no_counters);
  } else if (both || options.kernels) {
    fmt::print("\nhardware counters, all threads\n{}", train::counter_table(measured.summary));
  }
}

/// Refuses a file that could not be written once the work is done.
void check_folder(const char* flag, const std::string& path) {
  if (path.empty()) return;
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  check<Refusal>(folder.empty() || std::filesystem::is_directory(folder), "{} {}: there is no folder {}", flag, path,
                 folder.string());
}

int run(Options options, const Common& common) {
  if (!options.op.empty()) return profile_op(options.op, options.runs, common);
  check_folder("--svg", options.svg);
  check_folder("--trace", options.trace);
  constexpr int kUsualRuns = 3;
  if (options.runs == 0) options.runs = kUsualRuns;
  options.step.training = options.mode == "train";
  options.step.conv = common.conv_engine();
  options.step.seed = static_cast<uint64_t>(common.seed.value_or(0));
  const Measured measured = measure(options);
  if (!options.svg.empty()) {
    write_file(options.svg, train::roofline_svg(measured.summary, measured.peak, num_threads(),
                                                {title(options), subtitle(measured)}));
  }
  if (!options.trace.empty()) {
    write_file(options.trace, train::trace_json(measured.events, title(options)));
  }
  if (common.json) {
    fmt::print("{}\n", to_json(options, common, measured).dump());
  } else {
    print_tables(options, measured);
  }
  return 0;
}

}  // namespace

void add_profile(Program& program) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = program.add(
      "profile", "where the time of a step goes, per kernel and layer; or one convolution by every algorithm",
      "Runs steps of a PSPNet on random pictures, as `giza bench model` does, and measures the machine's peaks in the\n"
      "same run. GFLOP/s count the operations of the direct algorithm, `executed` those of the one that was chosen;\n"
      "GB/s count inputs and outputs once. docs/profile.md explains the columns and the picture.\n"
      "With --op one convolution runs by every algorithm and backend, forward and both gradients, held against sums "
      "in\n"
      "double precision; exit status 1 if an error of ours is outside its bound. Letters: n batch, h w input size, c "
      "input and "
      "k\n"
      "output channels, r kernel size (or RxS), s stride, d dilation, p padding.\n\n"
      "  giza profile --depth 50 --size 473 --mode train --svg roofline.svg --trace trace.json\n"
      "  giza profile --op 'conv2d n1h60w60c512k512r3d4'",
      [options](const Common& common) { return run(*options, common); });
  train::ModelStepOptions& step = options->step;
  CLI::Option* op = command->add_option("--op", options->op, "one op by every algorithm: 'conv2d SPEC'");
  op->type_name("SPEC");
  const auto of_model = [&](CLI::Option* option) { return option->excludes(op); };
  CLI::Option* weights = of_model(command->add_option("--weights", step.weights, "profile the network of this file"));
  weights->type_name("FILE");
  of_model(command->add_option("--depth", step.depth, "18, 34, 50, 101, 152 or 269"))
      ->excludes(weights)
      ->capture_default_str();
  of_model(command->add_option("--size", step.size, "side of the square pictures"))
      ->check(within(1, 16384))
      ->capture_default_str();
  of_model(command->add_option("--batch", step.batch, "pictures of a step"))
      ->check(within(1, 1024))
      ->capture_default_str();
  of_model(command->add_option("--classes", step.classes, "number of classes"))
      ->excludes(weights)
      ->check(within(1, 4096))
      ->capture_default_str();
  of_model(command->add_option("--width", step.width, "factor on all channel counts"))
      ->excludes(weights)
      ->check(within(0.01, 8.0))
      ->capture_default_str();
  of_model(command->add_option("--mode", options->mode, "infer or train"))
      ->check(CLI::IsMember({"infer", "train"}).description(""))
      ->capture_default_str();
  command->add_option("--runs", options->runs, "measured steps (3), or rounds of --op (what fits into 3 s)")
      ->check(within(1, 10000));
  of_model(command->add_flag("--kernels", options->kernels, "only the table of kernels"));
  of_model(command->add_flag("--layers", options->layers, "only the table of layers"));
  of_model(command->add_flag("--all", options->all, "every layer, not only the 25 that take longest"));
  of_model(command->add_option("--svg", options->svg, "write the roofline picture"))->type_name("FILE");
  of_model(command->add_option("--trace", options->trace, "write a trace for ui.perfetto.dev or about:tracing"))
      ->type_name("FILE");
}

}  // namespace giza::cli
