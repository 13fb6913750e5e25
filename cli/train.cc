// giza train: flags and printing around train/trainer.h.
#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "autograd/watching.h"
#include "cli/command.h"
#include "tensor/base/text.h"
#include "train/progress.h"
#include "train/trainer.h"

namespace giza::cli {
namespace {

class TrainCommand : public Command {
 public:
  TrainCommand()
      : Command("train", "train by a configuration",
                R"(KEY VALUE pairs replace keys of the file: `TRAIN.epochs 3`, or `epochs 3` where one section alone
has the key. The folder TRAIN.save_path gets the resolved configuration, log.jsonl (a line per
print_freq iterations), TensorBoard events (`tensorboard --logdir DIR`), checkpoints
(last.safetensors is the newest) and report.html, a page with curves and, after each validation,
everything about it (docs/report.md), for any browser. An interrupted run (Ctrl-C saves first) goes
on to the same bits with `TRAIN.resume auto`. The same seed gives the same weights at any number of
threads.

  giza train --config configs/scenes/psp.yaml TRAIN.epochs 3 TRAIN.save_path runs/short)") {}

  void declare(CLI::App& app) override {
    arguments_.declare(app);
    app.add_flag("--trace-nan", trace_nan_, "check every op for NaN and infinity, and name the first (slower)");
    add_listing(app, "--help-keys", train::help_keys, "list every key of a configuration and exit");
    // What docs/configuration.md is made of; for those who change the table of keys.
    add_listing(app, "--keys-as-markdown", train::keys_as_markdown, "")->group("");
  }

  bool for_many() const override { return true; }

  int run(const Common& common) override {
    const train::Config config = arguments_.load(common);
    train::require_keys(config, {"DATA.classes", "TRAIN.save_path"});
    std::optional<autograd::TraceNonFinite> trace;
    if (trace_nan_) trace.emplace();
    try {
      print(train::train(config), config, common.json);
    } catch (const train::Diverged& error) {
      if (trace_nan_ || !error.op_known()) throw;
      throw Error(fmt::format("{}; --trace-nan names the first op", error.what()));
    }
    return 0;
  }

 private:
  static CLI::Option* add_listing(CLI::App& app, const char* flag, std::string (*text)(), const char* help) {
    const auto print_and_exit = [text] {
      fmt::print("{}", text());
      throw CLI::Success();
    };
    return app.add_flag_callback(flag, print_and_exit, help);
  }

  static void print(const train::TrainResult& result, const train::Config& config, bool as_json);

  ConfigArguments arguments_;
  bool trace_nan_ = false;
};

void TrainCommand::print(const train::TrainResult& result, const train::Config& config, bool as_json) {
  if (as_json) {
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
    print_json(json);
    return;
  }
  const std::string done = result.steps > 0 ? fmt::format("trained {} in {}", counted(result.steps, "iteration"),
                                                          train::format_duration(result.seconds))
                                            : "nothing was left to train";
  const std::string loss = std::isnan(result.loss) ? "" : fmt::format(", loss {:.4f}", result.loss);  // NaN: not known
  fmt::print("{}, {} in all{}: {}\n", done, result.iterations, loss, one_line(result.checkpoint));
  if (result.validation) {
    fmt::print("validation ({}): mIoU {:.4f}, mAcc {:.4f}, allAcc {:.4f}\n", result.validation->protocol,
               result.validation->metrics.miou, result.validation->metrics.macc, result.validation->metrics.all_acc);
  }
}

}  // namespace

std::unique_ptr<Command> train_command() { return std::make_unique<TrainCommand>(); }

}  // namespace giza::cli
