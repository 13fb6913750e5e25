// How a subcommand is added to the program. Each cli/NAME.cc defines one add_NAME: flags and printing only.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tensor/ops/conv2d.h"
#include "train/config/config.h"

namespace giza::cli {

/// Checks a number without spelling the range out in the help.
template <class T>
CLI::Validator within(T low, T high) {
  return CLI::Range(low, high).description("");
}

/// Flags that every command understands.
struct Common {
  int threads = 0;  ///< 0: every processor
  std::string isa = "auto";
  std::string conv;       ///< empty: the configuration's, or native
  std::string algorithm;  ///< empty: the configuration's, or auto
  std::optional<int64_t> seed;
  bool quiet = false;
  bool json = false;

  ConvEngine conv_engine() const {
    return {parse_conv_backend(conv.empty() ? "native" : conv),
            parse_conv_algorithm(algorithm.empty() ? "auto" : algorithm)};
  }
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
  /// Adds a subcommand that only has subcommands, such as `bench`; and one of those.
  CLI::App* add_group(const std::string& name, const std::string& summary);
  CLI::App* add_to(CLI::App* group, const std::string& name, const std::string& summary, const std::string& more,
                   Run run);

  /// Parses, applies the common flags, runs; all errors become one line on stderr and an exit status.
  int main(int argc, const char* const* argv);

 private:
  int parse_and_run(int argc, const char* const* argv);

  CLI::App app_;
  Common common_;
  Run chosen_;
};

/// --config FILE and trailing KEY VALUE pairs, for commands that read a configuration.
class ConfigArguments {
 public:
  explicit ConfigArguments(CLI::App* command, bool required = true);

  /// True if there is a --config. Throws Refusal for KEY VALUE pairs without one.
  bool given() const;

  /// Reads the configuration; --threads, --conv and --seed replace its keys. Names keys without a meaning here on stderr.
  train::Config load(const Common& common) const;

 private:
  CLI::App* command_;
  std::shared_ptr<std::string> file_;  // CLI11 writes to its address, wherever copies of this object go
};

/// Positional arguments of any number and form. CLI11's own lists would take a name such as [a].png apart.
class TrailingArguments {
 public:
  /// `usage` stands in the usage line: "IMAGE...".
  TrailingArguments(CLI::App* command, const std::string& usage);
  /// Throws Refusal for a flag among them that the command does not know.
  std::vector<std::string> get() const;

 private:
  CLI::App* command_;
};

void add_info(Program& program);
void add_scenes(Program& program);
void add_check(Program& program);
void add_train(Program& program);
void add_eval(Program& program);
void add_plan(Program& program);
void add_predict(Program& program);
void add_compare(Program& program);
void add_run(Program& program);
void add_convert(Program& program);
void add_verify(Program& program);
void add_bench(Program& program);
void add_profile(Program& program);

}  // namespace giza::cli
