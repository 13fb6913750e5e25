// giza bench model: seconds and memory of whole-network steps, with the fields of the PyTorch peer.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/command.h"
#include "cli/step_arguments.h"
#include "tensor/base/median.h"
#include "tensor/base/stopwatch.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"
#include "tensor/storage.h"
#include "train/progress.h"

namespace giza::cli {
namespace {

using nlohmann::ordered_json;

double peak_rss_gb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1e6;
}

class BenchModelCommand : public Command {
 public:
  BenchModelCommand()
      : Command("model", "seconds per step of a whole PSPNet, and its memory",
                R"(infer: one forward pass. train: forward, loss + 0.4 auxiliary loss, backward, SGD step. Made-up
pictures and labels; one step to warm up, then --runs timed ones. With --json one line:
  {mode, depth, size, batch, classes, width, threads, isa, conv, runs, median_s, best_s,
   peak_rss_gb, arena_peak_gb}
With --config the network, classes, crop, batch and loss are those of a configuration, and KEY VALUE
pairs replace its keys; {config, arch, input} then stand for depth, size, batch, classes and width.

  giza bench model --config configs/scenes/psp.yaml --mode train
  giza bench model --depth 50 --size 473 --batch 2 --classes 150 --mode train --json)") {}

  void declare(CLI::App& app) override {
    step_.declare(app);
    app.add_flag("--recompute", step_.config().train.recompute,
                 "train: keep inputs of residual blocks only, run them again going back")
        ->excludes("--config");
    app.add_option("--runs", runs_, "timed steps")->transform(within(1, 10000))->capture_default_str();
  }

  int run(const Common& common) override {
    step_.load(common);
    const auto step = step_.step();
    train::Progress progress("bench", runs_ + 1, "step");
    step();  // warms up: page faults, weights transformed once
    std::vector<double> seconds;
    for (int i = 0; i < runs_; ++i) {
      progress.update(i + 1);
      seconds.push_back(seconds_of(step));
    }
    progress.update(runs_ + 1);
    progress.finish();
    const train::Config& config = step_.config();
    const double middle = median(seconds), best = *std::min_element(seconds.begin(), seconds.end());
    if (!common.json) {
      const std::string network = step_.from_file()
                                      ? step_.title()
                                      : fmt::format("PSPNet{0}, {1}x{1}, batch {2}, {3} classes", config.train.layers,
                                                    config.train.train_h, config.train.batch_size, config.data.classes);
      fmt::print("{}, {}, {} threads: median {:.3f} s, best {:.3f} s, peak {:.2f} GB\n", network, step_.kind(),
                 num_threads(), middle, best, peak_rss_gb());
      return 0;
    }
    ordered_json json = {{"mode", step_.mode()}};
    json.update(step_.from_file() ? step_.json()
                                  : ordered_json{{"depth", config.train.layers},
                                                 {"size", config.train.train_h},
                                                 {"batch", config.train.batch_size},
                                                 {"classes", config.data.classes},
                                                 {"width", config.train.width}});
    json.update(ordered_json{{"threads", num_threads()},
                             {"isa", isa()},
                             {"conv", config.train.conv},
                             {"runs", runs_},
                             {"median_s", middle},
                             {"best_s", best},
                             {"peak_rss_gb", peak_rss_gb()},
                             {"arena_peak_gb", static_cast<double>(arena_statistics().peak) / 1e9}});
    print_json(json);
    return 0;
  }

 private:
  StepArguments step_;
  int runs_ = 3;
};

}  // namespace

std::unique_ptr<Command> bench_model_command() { return std::make_unique<BenchModelCommand>(); }

}  // namespace giza::cli
