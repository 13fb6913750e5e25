// giza plan: flags and printing around train/cost/plan.h.
#include "train/cost/plan.h"

#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "tensor/base/check.h"
#include "tensor/parallel.h"
#include "train/cost/plan_table.h"

namespace giza::cli {
namespace {

struct Options {
  double seconds = 16;
  double memory_gb = 0;
  bool quick = false;
  bool measure = false;
};

int run(const ConfigArguments& arguments, const Options& options, const Common& common) {
  const train::Config config = arguments.load(common);
  train::require_keys(config, {"DATA.classes"});
  const train::Plan plan = train::make_plan(config, {.threads = num_threads(),
                                                     .seconds = options.seconds,
                                                     .quick = options.quick,
                                                     .measure = options.measure,
                                                     .memory_bytes = static_cast<int64_t>(options.memory_gb * 1e9)});
  if (common.json) {
    fmt::print("{}\n", train::plan_json(plan, config));
  } else {
    fmt::print("{}", train::plan_table(plan, config));
  }
  return 0;
}

}  // namespace

void add_plan(Program& program) {
  const auto arguments = std::make_shared<std::unique_ptr<ConfigArguments>>();
  const auto options = std::make_shared<Options>();
  CLI::App* command = program.add(
      "plan", "parameters, operations, memory and time of training and testing, and ways to fit",
      "Trains and tests nothing. Memory is that of a dry run: the real code of a step without its arithmetic, so it "
      "works\n"
      "for networks and batches far beyond this machine. Time comes from the network's own kernels, timed on this\n"
      "machine for --seconds, on a smaller batch if need be. Where memory does not suffice, changes that make it fit "
      "are\n"
      "listed with their memory, time and effect on the result. Pictures of the lists are only looked at for their\n"
      "sizes, and a few are read for their time; without them the plan says what it could not know.\n\n"
      "  giza plan --config configs/scenes/psp.yaml TRAIN.batch_size 16 --memory 4",
      [arguments, options](const Common& common) { return run(**arguments, *options, common); });
  *arguments = std::make_unique<ConfigArguments>(command);
  command->add_option("--seconds", options->seconds, "for timing kernels, about")
      ->check(within(0.1, 3600.0))
      ->capture_default_str();
  command->add_flag("--quick", options->quick, "times from the machine's peaks alone: right to about a factor of 1.5");
  command->add_flag("--measure", options->measure,
                    "run the training step and the largest test picture too, and compare");
  command
      ->add_option("--memory", options->memory_gb,
                   "plan for a machine with so many GB (10^9 bytes); 0: what is free here")
      ->check(within(0.0, 1e6))
      ->type_name("GB");
}

}  // namespace giza::cli
