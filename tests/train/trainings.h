// Trainings of a tiny net, and what they left.
#pragma once

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tensor/parallel.h"
#include "tests/support/refusal.h"
#include "tests/support/scopes.h"
#include "tests/train/tiny_set.h"
#include "train/progress.h"
#include "train/signals.h"
#include "train/trainer.h"

namespace giza::train {

/// Silences progress, and gives the threads back.
class Quiet {
  QuietScope quiet_;
  ThreadScope threads_{num_threads()};
};

inline std::vector<double> losses_of(const Config& config) {
  std::vector<double> losses;
  train(config, [&](int64_t, double loss) { losses.push_back(loss); });
  return losses;
}

/// A run's last checkpoint, byte for byte: nothing in it may tell of threads, clocks, folders and interruptions.
inline std::string last_checkpoint(const Config& config) {
  return read_bytes(config.train.save_path + "/last.safetensors");
}

inline std::vector<nlohmann::json> log_of(const Config& config) {
  std::vector<nlohmann::json> lines;
  std::ifstream stream(config.train.save_path + "/log.jsonl");
  for (std::string line; std::getline(stream, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

/// The log without what a clock decides.
inline std::vector<nlohmann::json> timeless_log_of(const Config& config) {
  std::vector<nlohmann::json> lines = log_of(config);
  for (nlohmann::json& line : lines) {
    for (const char* key : {"seconds", "images_per_second", "validation_seconds"}) line.erase(key);
  }
  return lines;
}

/// Trains until `iteration`, where a signal arrives.
inline void interrupt_at(const Config& config, int64_t iteration, int signal) {
  try {
    train(config, [&](int64_t done, double) {
      if (done == iteration) std::raise(signal);
    });
    FAIL("not interrupted");
  } catch (const Interrupted& interrupted) {
    CHECK(interrupted.signal() == signal);
    CHECK(contains(interrupted.what(), fmt::format("iter_{:08}", iteration)));
  }
}

}  // namespace giza::train
