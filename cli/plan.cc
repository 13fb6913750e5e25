// giza plan: flags and printing around train/cost/plan.h.
#include "train/cost/plan.h"

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "tensor/base/check.h"
#include "tensor/parallel.h"

namespace giza::cli {
namespace {

class PlanCommand : public Command {
 public:
  PlanCommand()
      : Command("plan", "parameters, memory and time of training and testing; ways to fit",
                R"(Trains and tests nothing. Memory is that of a dry run: the real code of a step without its
arithmetic, so it works for networks and batches far beyond this machine. Time comes from the
network's own kernels, timed on this machine for --seconds, on a smaller batch if need be. Where
memory does not suffice, changes that make it fit are listed with their memory, time and effect on
the result. Pictures of the lists are only looked at for their sizes, and a few are read for their
time; without them the plan says what it could not know.

With --ranks the plan is also that of as many machines like this one, joined by a network
(mpirun): what a rank has to do, what the exchanges add, and how much faster all are than one.

  giza plan --config configs/scenes/psp.yaml TRAIN.batch_size 16 --memory 4
  giza plan --config configs/scenes/psp.yaml --ranks 1..16 --network 1Gb/s,100us)") {}

  void declare(CLI::App& app) override {
    arguments_.declare(app);
    CLI::Option* seconds = app.add_option("--seconds", seconds_, "for timing kernels, about")
                               ->transform(within(0.1, 3600.0))
                               ->capture_default_str();
    app.add_flag("--quick", quick_, "times from the machine's peaks alone: right to about a factor of 1.5")
        ->excludes(seconds);
    app.add_flag("--measure", measure_, "run the training step and the largest test picture too, and compare");
    app.add_option("--memory", memory_gb_, "plan for a machine with so many GB (10^9 bytes); 0: what is free here")
        ->transform(within(0.0, 1e6))
        ->type_name("GB");
    CLI::Option* ranks = app.add_option(
        "--ranks", ranks_, "for training and testing on so many machines: 4, or 2,4,8, or 2..256, which doubles");
    app.add_option("--network", network_, "between them: speed and latency; Mb/s, Gb/s, MB/s, GB/s; us, ms, s")
        ->type_name("SPEED,LATENCY")
        ->capture_default_str()
        ->needs(ranks);
  }

  int run(const Common& common) override {
    const std::vector<int> ranks = train::parse_ranks(ranks_, "--ranks");
    const train::Interconnect network = train::parse_interconnect(network_, "--network");
    const train::Config config = arguments_.load(common);
    train::require_keys(config, {"DATA.classes"});
    train::Plan plan = train::make_plan(config, {.threads = num_threads(),
                                                 .seconds = seconds_,
                                                 .quick = quick_,
                                                 .measure = measure_,
                                                 .memory_bytes = static_cast<int64_t>(memory_gb_ * 1e9),
                                                 .ranks = ranks,
                                                 .network = network});
    if (memory_gb_ > 0) plan.limit.source = "--memory";
    if (common.json) {
      fmt::print("{}\n", train::plan_json(plan, config));
    } else {
      fmt::print("{}", train::plan_table(plan, config));
    }
    return 0;
  }

 private:
  ConfigArguments arguments_;
  double seconds_ = 16;
  double memory_gb_ = 0;
  std::string ranks_ = "1", network_ = "10Gb/s,50us";
  bool quick_ = false;
  bool measure_ = false;
};

}  // namespace

std::unique_ptr<Command> plan_command() { return std::make_unique<PlanCommand>(); }

}  // namespace giza::cli
