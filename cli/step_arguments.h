// Which steps of a network to run, for the commands that time them: a configuration's, or those that flags describe.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/command.h"
#include "models/weights/infer.h"
#include "tensor/shape.h"

namespace giza::cli {

class StepArguments {
 public:
  /// Adds --config with KEY VALUE pairs, the flags --depth to --width that stand in its place, and --mode.
  void declare(CLI::App& app);
  /// Reads the configuration, or makes one of the flags. Throws Refusal for KEY VALUE pairs without --config.
  void load(const Common& common);

  bool from_file() const { return arguments_.given(); }
  bool training() const { return mode_ == "train"; }
  const std::string& mode() const { return mode_; }
  train::Config& config() { return config_; }
  const train::Config& config() const { return config_; }
  /// Pictures of a step, [N,H,W,3].
  Shape input() const;
  /// Runs one step. `weights`: a file whose network takes the place of the configured one; empty: none.
  std::function<void()> step(const std::string& weights = {}, models::FileNotes* told = nullptr) const;
  /// Of a configuration: {config, arch, classes, input: [n, h, w, 3]}
  nlohmann::ordered_json json() const;
  /// "configs/scenes/psp.yaml, PSPNet, 97x193, batch 8, 12 classes"
  std::string title() const;
  /// "training step"
  const char* kind() const { return training() ? "training step" : "forward pass"; }

 private:
  ConfigArguments arguments_;
  train::Config config_;
  std::string mode_ = "infer";
  int size_ = 473, batch_ = 1;
};

}  // namespace giza::cli
