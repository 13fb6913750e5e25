// How a subcommand is added to the program. Each cli/NAME.cc defines one add_NAME: flags and printing only.
#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tensor/ops/conv2d.h"

namespace giza::cli {

/// Flags that every command understands.
struct Common {
  int threads = 0;  ///< 0: every processor
  std::string isa = "auto";
  std::string conv = "native";
  std::optional<int64_t> seed;
  bool quiet = false;
  bool json = false;

  ConvBackend conv_backend() const { return parse_conv_backend(conv); }
};

/// Runs a command; returns the exit status. Refusal, Error and Interrupted are handled by main.
using Run = std::function<int(const Common&)>;

/// The program: its subcommands, and which of them was chosen.
class Program {
 public:
  Program();

  /// Adds a subcommand with the common flags. `summary` is its line in `giza --help`; `more` stands below the flags in
  /// its own help: what it reads and writes, and an example.
  CLI::App* add(const std::string& name, const std::string& summary, const std::string& more, Run run);

  /// Parses, applies the common flags, runs; all errors become one line on stderr and an exit status.
  int main(int argc, const char* const* argv);

 private:
  int parse_and_run(int argc, const char* const* argv);

  CLI::App app_;
  Common common_;
  Run chosen_;
};

/// --config FILE and the trailing KEY VALUE pairs, for commands that read a configuration.
struct ConfigArguments {
  std::string file;
  std::vector<std::string> overrides;

  void add_to(CLI::App* command);
};

void add_info(Program& program);
void add_scenes(Program& program);
void add_train(Program& program);
void add_eval(Program& program);
void add_predict(Program& program);
void add_compare(Program& program);
void add_run(Program& program);
void add_bench(Program& program);

}  // namespace giza::cli
