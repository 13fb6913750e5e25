// Which steps of a network to run, for the commands that time them.
#include "cli/step_arguments.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "models/scene_parser.h"
#include "train/cost/rehearsal.h"

namespace giza::cli {

void StepArguments::declare(CLI::App& app) {
  CLI::Option* config = arguments_.declare(app, /*required=*/false);
  CLI::Option* flags[] = {
      app.add_option("--depth", config_.train.layers, "18, 34, 50, 101, 152 or 269")->transform(within(18, 269)),
      app.add_option("--size", size_, "side of the square pictures")->transform(within(1, 16384)),
      app.add_option("--batch", batch_, "pictures of a step")->transform(within(1, 1024)),
      app.add_option("--classes", config_.data.classes, "number of classes")->transform(within(1, 4096)),
      app.add_option("--width", config_.train.width, "factor on all channel counts")->transform(within(0.01, 8.0)),
  };
  for (CLI::Option* flag : flags) flag->excludes(config)->capture_default_str();
  app.add_option("--mode", mode_, "infer or train")
      ->check(CLI::IsMember({"infer", "train"}).description(""))
      ->capture_default_str();
}

void StepArguments::load(const Common& common) {
  if (arguments_.given()) {
    config_ = arguments_.load(common);
    return;
  }
  config_.file = "command line";
  config_.train.train_h = config_.train.train_w = size_;
  config_.train.batch_size = batch_;
  if (!common.conv.empty()) config_.train.conv = common.conv;
  if (!common.algorithm.empty()) config_.train.algorithm = common.algorithm;
  config_.train.manual_seed = common.seed.value_or(0);
}

Shape StepArguments::input() const {
  const train::TrainConfig& train = config_.train;
  if (training() || !from_file()) return {train.batch_size, train.train_h, train.train_w, 3};
  return {1, config_.test.test_h, config_.test.test_w, 3};
}

std::function<void()> StepArguments::step(const std::string& weights, models::FileNotes* told) const {
  const std::shared_ptr<train::StepRehearsal> rehearsal =
      train::make_rehearsal(config_, input(), training(), weights, told);
  return [rehearsal] { rehearsal->step(); };
}

nlohmann::ordered_json StepArguments::json() const {
  const Shape x = input();
  return {{"config", config_.file},
          {"arch", config_.train.arch},
          {"classes", config_.data.classes},
          {"input", {x[0], x[1], x[2], x[3]}}};
}

std::string StepArguments::title() const {
  const Shape x = input();
  return fmt::format("{}, {}, {}x{}, batch {}, {} classes", config_.file,
                     models::find_architecture(config_.train.arch)->title, x[1], x[2], x[0], config_.data.classes);
}

}  // namespace giza::cli
