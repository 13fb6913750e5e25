// giza profile: where the time of a step goes, per kernel and per layer.
#include "tensor/profile/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "cli/command.h"
#include "cli/profile_op.h"
#include "cli/step_arguments.h"
#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/base/machine.h"
#include "tensor/base/text.h"
#include "tensor/parallel.h"
#include "tensor/profile/counters.h"
#include "tensor/profile/peak.h"
#include "tensor/simd.h"
#include "train/cost/many_cores.h"
#include "train/cost/profile_summary.h"
#include "train/cost/profile_table.h"
#include "train/cost/roofline.h"
#include "train/progress.h"

namespace giza::cli {
namespace {

using nlohmann::ordered_json;
using train::WorkTotal;

struct MeasuredSteps {
  train::ProfileSummary summary;
  MachinePeak peak;
  std::vector<profile::Event> events;
  std::string why_no_counters;  // empty if there are some
  train::CoresForecast here;    // for --cores and JSON, computed for the threads that ran
  train::CoresForecast cores;   // for --cores; of no kernels without it
};

/// A machine of many cores, and what of it is guessed from this one.
struct CoresArguments {
  int cores = 0;                              // 0: not asked for
  double bandwidth_gbs = -1, region_us = -1;  // negative: as here, for each core

  void declare(CLI::App& app) {
    CLI::Option* cores_flag =
        app.add_option("--cores", cores, "also what a machine of so many cores would take")->transform(within(1, 4096));
    app.add_option("--bandwidth", bandwidth_gbs, "its memory's GB/s (this one's for each thread)")
        ->transform(within(0.1, 1e6))
        ->needs(cores_flag);
    app.add_option("--region-us", region_us, "microseconds of a parallel region on it (this one's for each thread)")
        ->transform(within(0.0, 1e6))
        ->needs(cores_flag);
  }
};

ordered_json forecast_json(const train::CoresForecast& forecast) {
  const auto row_json = [&](const train::CoresRow& row) {
    return ordered_json{{"regions", row.regions},
                        {"tasks", row.tasks},
                        {"measured_s", row.measured_s},
                        {"one_core_s", row.one_core_s},
                        {"cores_s", row.cores_s},
                        {"longest_first_s", row.longest_first_s},
                        {"efficiency", row.efficiency(forecast.machine.cores)},
                        {"lost_s",
                         {{"serial", row.loss.serial},
                          {"uneven", row.loss.uneven},
                          {"regions", row.loss.regions},
                          {"memory", row.loss.memory}}}};
  };
  ordered_json json = {{"cores", forecast.machine.cores},
                       {"region_us", forecast.machine.region_s * 1e6},
                       {"bandwidth_gbs", forecast.machine.bandwidth_gbs}};
  json.update(row_json(forecast.step));
  json["kernels"] = ordered_json::array();
  for (const train::CoresRow& row : forecast.kernels) {
    ordered_json item = {{"kernel", row.kernel}, {"algorithm", row.algorithm}};
    item.update(row_json(row));
    json["kernels"].push_back(std::move(item));
  }
  return json;
}

std::string forecast_lines(const MeasuredSteps& measured) {
  const train::CoresForecast &cores = measured.cores, &here = measured.here;
  const int n = cores.machine.cores;
  return fmt::format(
      "on {}: {:.4g} s a step, {:.3g} times as fast as one of them ({:.4g} s): {:.1f} % of {} times\n"
      "taken for granted: cores as fast as these, {:.3g} us for a region, {:.4g} GB/s from memory\n"
      "computed in the same way for the {} here: {:.4g} s; by the clock {:.4g} s\n",
      counted(n, "core"), cores.step.cores_s, cores.step.one_core_s / cores.step.cores_s, cores.step.one_core_s,
      100 * cores.efficiency(), n, cores.machine.region_s * 1e6, cores.machine.bandwidth_gbs,
      counted(here.machine.cores, "thread"), here.step.cores_s, here.step.measured_s);
}

ordered_json figures(const WorkTotal& total, const MeasuredSteps& measured) {
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

std::string subtitle(const MeasuredSteps& measured) {
  return fmt::format("{}, {}, {} thread{}; {:.3f} s a step (median of {})", processor_name(), isa(), num_threads(),
                     num_threads() == 1 ? "" : "s", measured.summary.wall_s, measured.summary.steps_s.size());
}

/// Refuses a file that could not be written once the work is done.
void check_folder(const char* flag, const std::string& path) {
  if (path.empty()) return;
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  check<Refusal>(folder.empty() || std::filesystem::is_directory(folder), "{} {}: there is no folder {}", flag, path,
                 folder.string());
}

class ProfileCommand : public Command {
 public:
  ProfileCommand()
      : Command("profile", "where a step's time goes; or one convolution by every algorithm",
                R"(Runs steps of a PSPNet on made-up pictures, as `giza bench model` does, and measures the machine's
peaks in the same run. GFLOP/s count the operations of the direct algorithm, `executed` those of
the one that was chosen; GB/s count inputs and outputs once. docs/profile-reference.md explains the
columns, docs/profile.md the picture. With --op, which goes with --runs alone, one convolution runs
by every algorithm and backend, forward and both gradients, held against sums in double precision;
exit status 1 if an error of ours is outside its bound. Letters: n batch, h w input size, c input
and k output channels, r kernel size (or RxS), s stride, d dilation, p padding.

With --config the network, classes, crop, batch and loss are those of a configuration, and KEY VALUE
pairs replace its keys.

--cores computes what a machine of many cores would take, from the tasks that threads share here and
how long each took.

  giza profile --config configs/camvid/psp.yaml --mode train
  giza profile --depth 50 --size 473 --cores 64
  giza profile --depth 50 --size 473 --mode train --svg roofline.svg --trace trace.json
  giza profile --op 'conv2d n1h60w60c512k512r3d4')") {}

  void declare(CLI::App& app) override {
    CLI::Option* op = app.add_option("--op", op_, "one op by every algorithm: 'conv2d SPEC'")->type_name("SPEC");
    step_.declare(app);
    app.add_option("--weights", weights_, "the network of this file in place of --depth, --classes and --width")
        ->type_name("FILE")
        ->excludes("--config", "--depth", "--classes", "--width");
    app.add_option("--runs", runs_, "measured steps (3), or rounds of --op (what fits into 3 s)")
        ->transform(within(1, 10000));
    app.add_flag("--kernels", kernels_, "only the table of kernels");
    app.add_flag("--layers", layers_, "only the table of layers");
    app.add_flag("--all", all_, "every layer, not only the 25 that take longest");
    cores_.declare(app);
    app.add_option("--svg", svg_, "write the roofline picture")->type_name("FILE");
    app.add_option("--trace", trace_, "write a trace for ui.perfetto.dev or about:tracing")->type_name("FILE");
    op->excludes("--config", "--weights", "--depth", "--size", "--batch", "--classes", "--width", "--mode", "--kernels",
                 "--layers", "--all", "--cores", "--svg", "--trace", "--conv", "--algorithm");
  }

  int run(const Common& common) override {
    if (!op_.empty()) return profile_op(op_, runs_, common);
    check_folder("--svg", svg_);
    check_folder("--trace", trace_);
    check<Refusal>(svg_.empty() || trace_.empty() || canonical(svg_) != canonical(trace_),
                   "--svg and --trace: both are {}; give each a name of its own", svg_);
    check_not_beside_json("--svg", svg_, common.json);
    check_not_beside_json("--trace", trace_, common.json);
    check<Refusal>(!all_ || !kernels_ || layers_, "--all: is of the table of layers, which --kernels leaves out");
    constexpr int kUsualRuns = 3;
    if (runs_ == 0) runs_ = kUsualRuns;
    step_.load(common);
    for (const auto& [flag, file] : {std::pair("--svg", svg_), std::pair("--trace", trace_)}) {
      check_not_input(flag, file, {weights_, step_.config().file});
    }
    const MeasuredSteps measured = measure(common);
    if (!svg_.empty()) {
      write_file(svg_,
                 train::roofline_svg(measured.summary, measured.peak, num_threads(), {title(), subtitle(measured)}));
    }
    if (!trace_.empty()) {
      write_file(trace_, train::trace_json(measured.events, title()));
    }
    if (common.json) {
      print_json(to_json(measured));
    } else {
      print_tables(measured);
    }
    return 0;
  }

 private:
  MeasuredSteps measure(const Common& common) const {
    models::FileNotes told;
    const auto step = step_.step(weights_, &told);
    if (!common.quiet) tell_notes(weights_, told.notes);
    train::Progress progress("profile", runs_ + 1, "step");
    step();  // warms up: page faults, threads
    // The peaks before and after.
    const MachinePeak before = measure_peak();
    profile::HardwareCounters counters;
    MeasuredSteps measured;
    std::vector<profile::Region> regions;
    {
      const profile::Recording recording(counters.available() ? &counters : nullptr);
      for (int i = 0; i < runs_; ++i) {
        progress.update(i + 1);
        const profile::Span span(fmt::format("step {}", i + 1));
        step();
      }
      measured.events = recording.events();
      regions = recording.regions();
    }
    progress.update(runs_ + 1);
    progress.finish();
    measured.peak = faster(before, measure_peak());
    measured.summary = train::summarize(measured.events);
    measured.why_no_counters = counters.why_not();
    if (cores_.cores == 0 && !common.json) return measured;
    const auto forecast = [&](const train::ManyCores& machine) {
      return train::on_many_cores(measured.events, regions, machine);
    };
    const int threads = num_threads();
    const double region_s = threads > 1 || cores_.cores > 1 ? train::region_cost(std::max(2, threads)) : 0;
    measured.here = forecast({threads, threads > 1 ? region_s : 0, 0});
    if (cores_.cores > 0) measured.cores = forecast(many_cores(region_s, measured.peak));
    return measured;
  }

  /// What is not given grows with the cores, from what was measured here.
  train::ManyCores many_cores(double region_s, const MachinePeak& peak) const {
    const double more = static_cast<double>(cores_.cores) / num_threads();
    train::ManyCores machine{cores_.cores, region_s * cores_.cores / std::max(2, num_threads()),
                             WorkTotal::bandwidth(peak) * more};
    if (cores_.cores == 1) machine.region_s = 0;
    if (cores_.bandwidth_gbs >= 0) machine.bandwidth_gbs = cores_.bandwidth_gbs;
    if (cores_.region_us >= 0) machine.region_s = cores_.region_us * 1e-6;
    return machine;
  }

  ordered_json to_json(const MeasuredSteps& measured) const {
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
    const train::Config& config = step_.config();
    ordered_json json = {{"mode", step_.mode()}};
    if (step_.from_file()) {
      json.update(step_.json());
    } else {
      json.update(weights_.empty() ? ordered_json{{"depth", config.train.layers},
                                                  {"classes", config.data.classes},
                                                  {"width", config.train.width}}
                                   : ordered_json{{"weights", weights_}});
      json.update(ordered_json{{"size", config.train.train_h}, {"batch", config.train.batch_size}});
    }
    json.update(ordered_json{
        {"cpu", processor_name()},
        {"threads", num_threads()},
        {"isa", isa()},
        {"conv", config.train.conv},
        {"algorithm", config.train.algorithm},
        {"runs", runs_},
        {"peak", peak_json(measured.peak)},
        {"step_s", summary.wall_s},
        {"steps_s", summary.steps_s},
        {"attributed_s", summary.attributed_s},
        {"unattributed_s", summary.unattributed_s()},
        {"unattributed_share", summary.unattributed_s() / summary.wall_s},
        {"counters", measured.why_no_counters.empty() ? ordered_json(true) : ordered_json(measured.why_no_counters)}});
    json["kernels"] = std::move(kernels);
    json["layers"] = std::move(layers);
    json["here"] = forecast_json(measured.here);
    if (cores_.cores > 0) json["many_cores"] = forecast_json(measured.cores);
    return json;
  }

  std::string title() const {
    if (step_.from_file()) return fmt::format("{}: {}", step_.title(), step_.kind());
    const train::Config& config = step_.config();
    const std::string network = weights_.empty()
                                    ? fmt::format("PSPNet{}, {} classes", config.train.layers, config.data.classes)
                                    : std::filesystem::path(weights_).filename().string();
    return fmt::format("{0}, {1}x{1}, batch {2}: {3}", network, config.train.train_h, config.train.batch_size,
                       step_.kind());
  }

  void print_tables(const MeasuredSteps& measured) const {
    const bool both = layers_ == kernels_;
    fmt::print("{}\n{}\n{}\n", title(), subtitle(measured), peak_line(measured.peak));
    if (both || kernels_) {
      fmt::print("\nkernels of the median step\n{}", train::kernel_table(measured.summary, measured.peak));
    }
    if (both || layers_) {
      constexpr size_t kUsual = 25;
      fmt::print(
          "\nlayers of the median step, with the ms of the forward and backward pass and the update\n{}",
          train::layer_table(measured.summary, measured.peak, all_ ? std::numeric_limits<size_t>::max() : kUsual));
    }
    if (cores_.cores > 0) {
      fmt::print("\n{}\n{}", forecast_lines(measured), train::cores_table(measured.cores));
    }
    if (!measured.why_no_counters.empty()) {
      fmt::print("\nno hardware counters: {}\n", measured.why_no_counters);
    } else if (both || kernels_) {
      fmt::print("\nhardware counters, all threads\n{}", train::counter_table(measured.summary));
    }
  }

  StepArguments step_;
  CoresArguments cores_;
  int runs_ = 0;
  bool layers_ = false, kernels_ = false, all_ = false;
  std::string op_, weights_, svg_, trace_;
};

}  // namespace

std::unique_ptr<Command> profile_command() { return std::make_unique<ProfileCommand>(); }

}  // namespace giza::cli
