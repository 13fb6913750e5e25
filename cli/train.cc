// giza train: flags and printing around train/trainer.h.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "autograd/variable.h"
#include "cli/command.h"
#include "train/progress.h"
#include "train/trainer.h"

namespace giza::cli {
namespace {

int run(const ConfigArguments& arguments, const Common& common, bool trace_nan) {
  const train::Config config = arguments.load(common);
  train::require_keys(config, {"DATA.classes", "TRAIN.save_path"});
  std::optional<autograd::TraceNonFinite> trace;
  if (trace_nan) trace.emplace();
  const train::TrainResult result = train::train(config);
  if (common.json) {
    nlohmann::ordered_json json = {{"iterations", result.iterations},
                                   {"loss", result.loss},
                                   {"seconds", result.seconds},
                                   {"checkpoint", result.checkpoint},
                                   {"save_path", config.train.save_path}};
    if (result.validation) {
      json["validation"] = {{"protocol", result.validation->protocol},
                            {"mIoU", result.validation->metrics.miou},
                            {"mAcc", result.validation->metrics.macc},
                            {"allAcc", result.validation->metrics.all_acc},
                            {"mIoU_present", result.validation->metrics.miou_present}};
    }
    fmt::print("{}\n", json.dump());
    return 0;
  }
  fmt::print("trained {} iterations in {}, loss {:.4f}: {}\n", result.iterations,
             train::format_duration(result.seconds), result.loss, result.checkpoint);
  if (result.validation) {
    fmt::print("validation ({}): mIoU {:.4f}, mAcc {:.4f}, allAcc {:.4f}\n", result.validation->protocol,
               result.validation->metrics.miou, result.validation->metrics.macc, result.validation->metrics.all_acc);
  }
  return 0;
}

}  // namespace

void add_train(Program& program) {
  const auto arguments = std::make_shared<std::unique_ptr<ConfigArguments>>();
  const auto trace_nan = std::make_shared<bool>(false);
  CLI::App* command = program.add(
      "train", "train by a configuration",
      "KEY VALUE pairs replace keys of the file: `TRAIN.epochs 3`, or `epochs 3` where one section alone has the key.\n"
      "The folder TRAIN.save_path gets the resolved configuration, log.jsonl (a line per print_freq iterations),\n"
      "TensorBoard events (`tensorboard --logdir DIR`), checkpoints (last.safetensors is the newest) and report.html,\n"
      "a page with curves and, after each validation, everything about it (docs/report.md), for any browser. An\n"
      "interrupted run (Ctrl-C saves first) goes on to the same bits with `TRAIN.resume auto`. The same seed gives\n"
      "the same weights at any number of threads.\n\n"
      "  giza train --config configs/scenes/psp.yaml TRAIN.epochs 3 TRAIN.save_path runs/short",
      [arguments, trace_nan](const Common& common) { return run(**arguments, common, *trace_nan); });
  *arguments = std::make_unique<ConfigArguments>(command);
  command->add_flag("--trace-nan", *trace_nan, "check every op for NaN and infinity, and name the first (slower)");
  command->add_flag_callback(
      "--help-keys",
      [] {
        fmt::print("{}", train::help_keys());
        throw CLI::Success();
      },
      "list every key of a configuration and exit");
  // What docs/configuration.md is made of; for those who change the table of keys.
  command
      ->add_flag_callback("--keys-as-markdown",
                          [] {
                            fmt::print("{}", train::keys_as_markdown());
                            throw CLI::Success();
                          })
      ->group("");
}

}  // namespace giza::cli
