// --config for commands that run steps of a network on random pictures.
#include "cli/step_config.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "models/scene_parser.h"
#include "tensor/parallel.h"
#include "train/model_step.h"

namespace giza::cli {

void StepConfig::load(const Common& common, bool training) {
  training_ = training;
  if (!arguments_.given()) return;
  config_ = arguments_.load(common);
  if (config_->train.threads > 0) set_num_threads(config_->train.threads);
}

std::function<void()> StepConfig::step() const { return train::make_model_step(*config_, training_); }

StepConfig::Input StepConfig::input() const {
  if (training_) return {config_->train.batch_size, config_->train.train_h, config_->train.train_w};
  return {1, config_->test.test_h, config_->test.test_w};
}

nlohmann::ordered_json StepConfig::json() const {
  const auto [batch, height, width] = input();
  return {{"config", config_->file},
          {"arch", config_->train.arch},
          {"classes", config_->data.classes},
          {"input", {batch, height, width, 3}}};
}

std::string StepConfig::title() const {
  const auto [batch, height, width] = input();
  return fmt::format("{}, {}, {}x{}, batch {}, {} classes", config_->file,
                     models::find_architecture(config_->train.arch)->title, height, width, batch,
                     config_->data.classes);
}

}  // namespace giza::cli
