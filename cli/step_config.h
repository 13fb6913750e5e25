// --config for commands that run steps of a network on random pictures: the configuration in place of flags.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "cli/command.h"

namespace giza::cli {

class StepConfig {
 public:
  /// Adds --config and KEY VALUE pairs; returns --config.
  CLI::Option* declare(CLI::App& app) { return arguments_.declare(app, /*required=*/false); }
  /// Reads the configuration if one is given. Throws Refusal for KEY VALUE pairs without one.
  void load(const Common& common, bool training);

  bool given() const { return config_.has_value(); }
  // The rest only if one is given.
  std::function<void()> step() const;
  /// {config, arch, classes, input: [n, h, w, 3]}
  nlohmann::ordered_json json() const;
  /// "configs/scenes/psp.yaml, PSPNet, 97x193, batch 8, 12 classes"
  std::string title() const;
  const std::string& conv() const { return config_->train.conv; }

 private:
  struct Input {
    int batch, height, width;
  };
  Input input() const;

  ConfigArguments arguments_;
  std::optional<train::Config> config_;
  bool training_ = false;
};

}  // namespace giza::cli
