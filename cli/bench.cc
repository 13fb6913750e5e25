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
#include "tensor/base/median.h"
#include "tensor/base/stopwatch.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"
#include "tensor/storage.h"
#include "train/model_step.h"
#include "train/progress.h"

namespace giza::cli {
namespace {

struct Options {
  int depth = 50;
  int size = 473;
  int batch = 1;
  int classes = 150;
  int runs = 3;
  double width = 1;
  std::string mode = "infer";
  bool recompute = false;
};

std::function<void()> make_step(const Options& options, const Common& common) {
  return train::make_model_step({.depth = options.depth,
                                 .size = options.size,
                                 .batch = options.batch,
                                 .classes = options.classes,
                                 .width = options.width,
                                 .training = options.mode == "train",
                                 .conv = common.conv_engine(),
                                 .recompute = options.recompute,
                                 .seed = static_cast<uint64_t>(common.seed.value_or(0))});
}

double peak_rss_gb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1e6;
}

int run(const Options& options, const Common& common) {
  const std::function<void()> step = make_step(options, common);
  train::Progress progress("bench", options.runs + 1, "step");
  step();  // warms up: page faults, weights transformed once
  std::vector<double> seconds;
  for (int i = 0; i < options.runs; ++i) {
    progress.update(i + 1);
    seconds.push_back(seconds_of(step));
  }
  progress.update(options.runs + 1);
  progress.finish();
  const nlohmann::ordered_json result = {{"mode", options.mode},
                                         {"depth", options.depth},
                                         {"size", options.size},
                                         {"batch", options.batch},
                                         {"classes", options.classes},
                                         {"width", options.width},
                                         {"threads", num_threads()},
                                         {"isa", isa()},
                                         {"conv", common.conv.empty() ? "native" : common.conv},
                                         {"runs", options.runs},
                                         {"median_s", median(seconds)},
                                         {"best_s", *std::min_element(seconds.begin(), seconds.end())},
                                         {"peak_rss_gb", peak_rss_gb()},
                                         {"arena_peak_gb", static_cast<double>(arena_statistics().peak) / 1e9}};
  if (common.json) {
    fmt::print("{}\n", result.dump());
  } else {
    fmt::print(
        "PSPNet{} {} at {}x{}, batch {}, {} classes, {} threads: median {:.3f} s, best {:.3f} s, peak {:.2f} GB\n",
        options.depth, options.mode == "train" ? "training step" : "forward pass", options.size, options.size,
        options.batch, options.classes, num_threads(), median(seconds),
        *std::min_element(seconds.begin(), seconds.end()), peak_rss_gb());
  }
  return 0;
}

}  // namespace

void add_bench(Program& program) {
  CLI::App* group = program.add_group("bench", "time and memory; `giza bench model --help`");
  const auto options = std::make_shared<Options>();
  CLI::App* command = program.add_to(
      group, "model", "seconds per step of a whole PSPNet, and its memory",
      "infer: one forward pass. train: forward, loss + 0.4 auxiliary loss, backward, SGD step. Random pictures and\n"
      "labels; one step to warm up, then --runs timed ones. With --json one line:\n"
      "  {mode, depth, size, batch, classes, width, threads, isa, conv, runs, median_s, best_s, peak_rss_gb,\n"
      "   arena_peak_gb}\n\n"
      "  giza bench model --depth 50 --size 473 --batch 2 --classes 150 --mode train --json",
      [options](const Common& common) { return run(*options, common); });
  command->add_option("--depth", options->depth, "18, 34, 50, 101, 152 or 269")->capture_default_str();
  command->add_option("--size", options->size, "side of the square pictures")
      ->check(within(1, 16384))
      ->capture_default_str();
  command->add_option("--batch", options->batch, "pictures of a step")->check(within(1, 1024))->capture_default_str();
  command->add_option("--classes", options->classes, "number of classes")
      ->check(within(1, 4096))
      ->capture_default_str();
  command->add_option("--width", options->width, "factor on all channel counts")
      ->check(within(0.01, 8.0))
      ->capture_default_str();
  command->add_option("--mode", options->mode, "infer or train")
      ->check(CLI::IsMember({"infer", "train"}).description(""))
      ->capture_default_str();
  command->add_flag("--recompute", options->recompute,
                    "train: keep only the inputs of residual blocks and run each again going back");
  command->add_option("--runs", options->runs, "timed steps")->check(within(1, 10000))->capture_default_str();
}

}  // namespace giza::cli
