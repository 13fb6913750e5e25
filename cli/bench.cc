// giza bench model: seconds and memory of whole-network steps, with the fields of the PyTorch peer.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/step_config.h"
#include "tensor/base/median.h"
#include "tensor/base/stopwatch.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"
#include "tensor/storage.h"
#include "train/model_step.h"
#include "train/progress.h"

namespace giza::cli {
namespace {

double peak_rss_gb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1e6;
}

class BenchModelCommand : public Command {
 public:
  BenchModelCommand()
      : Command("model", "seconds per step of a whole PSPNet, and its memory",
                R"(infer: one forward pass. train: forward, loss + 0.4 auxiliary loss, backward, SGD step. Random
pictures and labels; one step to warm up, then --runs timed ones. With --json one line:
  {mode, depth, size, batch, classes, width, threads, isa, conv, runs, median_s, best_s,
   peak_rss_gb, arena_peak_gb}
With --config the network, classes, crop, batch and loss are those of a configuration, and KEY VALUE
pairs replace its keys; {config, arch, input} then stand for depth, size, batch, classes and width.

  giza bench model --config configs/scenes/psp.yaml --mode train
  giza bench model --depth 50 --size 473 --batch 2 --classes 150 --mode train --json)") {}

  void declare(CLI::App& app) override;
  int run(const Common& common) override;

 private:
  train::ModelStepOptions step_;
  StepConfig config_;
  std::string mode_ = "infer";
  int runs_ = 3;
};

void BenchModelCommand::declare(CLI::App& app) {
  CLI::Option* config = config_.declare(app);
  const auto of_flags = [&](CLI::Option* option) { return option->excludes(config); };
  of_flags(app.add_option("--depth", step_.depth, "18, 34, 50, 101, 152 or 269"))
      ->transform(within(18, 269))
      ->capture_default_str();
  of_flags(app.add_option("--size", step_.size, "side of the square pictures"))
      ->transform(within(1, 16384))
      ->capture_default_str();
  of_flags(app.add_option("--batch", step_.batch, "pictures of a step"))
      ->transform(within(1, 1024))
      ->capture_default_str();
  of_flags(app.add_option("--classes", step_.classes, "number of classes"))
      ->transform(within(1, 4096))
      ->capture_default_str();
  of_flags(app.add_option("--width", step_.width, "factor on all channel counts"))
      ->transform(within(0.01, 8.0))
      ->capture_default_str();
  app.add_option("--mode", mode_, "infer or train")
      ->check(CLI::IsMember({"infer", "train"}).description(""))
      ->capture_default_str();
  of_flags(app.add_flag("--recompute", step_.recompute,
                        "train: keep only the inputs of residual blocks and run each again going back"));
  app.add_option("--runs", runs_, "timed steps")->transform(within(1, 10000))->capture_default_str();
}

int BenchModelCommand::run(const Common& common) {
  step_.training = mode_ == "train";
  step_.conv = common.conv_engine();
  step_.seed = static_cast<uint64_t>(common.seed.value_or(0));
  config_.load(common, step_.training);
  const std::function<void()> step = config_.given() ? config_.step() : train::make_model_step(step_);
  train::Progress progress("bench", runs_ + 1, "step");
  step();  // warms up: page faults, weights transformed once
  std::vector<double> seconds;
  for (int i = 0; i < runs_; ++i) {
    progress.update(i + 1);
    seconds.push_back(seconds_of(step));
  }
  progress.update(runs_ + 1);
  progress.finish();
  nlohmann::ordered_json result = {{"mode", mode_}};
  if (config_.given()) {
    result.update(config_.json());
  } else {
    result.update(nlohmann::ordered_json{{"depth", step_.depth},
                                         {"size", step_.size},
                                         {"batch", step_.batch},
                                         {"classes", step_.classes},
                                         {"width", step_.width}});
  }
  const double best = *std::min_element(seconds.begin(), seconds.end());
  result.update(nlohmann::ordered_json{{"threads", num_threads()},
                                       {"isa", isa()},
                                       {"conv", config_.given()       ? config_.conv()
                                                : common.conv.empty() ? "native"
                                                                      : common.conv},
                                       {"runs", runs_},
                                       {"median_s", median(seconds)},
                                       {"best_s", best},
                                       {"peak_rss_gb", peak_rss_gb()},
                                       {"arena_peak_gb", static_cast<double>(arena_statistics().peak) / 1e9}});
  if (common.json) {
    print_json(result);
  } else {
    const std::string network = config_.given() ? config_.title()
                                                : fmt::format("PSPNet{}, {}x{}, batch {}, {} classes", step_.depth,
                                                              step_.size, step_.size, step_.batch, step_.classes);
    fmt::print("{}, {}, {} threads: median {:.3f} s, best {:.3f} s, peak {:.2f} GB\n", network,
               step_.training ? "training step" : "forward pass", num_threads(), median(seconds), best, peak_rss_gb());
  }
  return 0;
}

}  // namespace

std::unique_ptr<Command> bench_model_command() { return std::make_unique<BenchModelCommand>(); }

}  // namespace giza::cli
