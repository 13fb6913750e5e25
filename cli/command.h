// A subcommand of the program: each cli/NAME.cc defines one class, flags and printing only, and makes it by
// NAME_command().
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "tensor/base/message.h"
#include "tensor/ops/conv2d.h"
#include "tensor/ranks.h"
#include "train/config/config.h"

namespace giza::cli {

/// Checks a number, strictly: decimal digits to the end, finite, and in [low, high], where CLI11 alone would read 010
/// as eight, and take the largest number for one that is too large. For CLI::Option::transform, since it writes the
/// number out anew. The range is not spelt out in the help.
template <class T>
CLI::Validator within(T low, T high) {
  const auto check = [low, high](std::string& text) -> std::string {
    T value{};
    const char *begin = text.data() + (text.starts_with('+') ? 1 : 0), *end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(begin, end, value);
    if (error == std::errc() && rest == end && value >= low && value <= high) {  // NaN is in no range
      text = fmt::format("{}", value);
      return {};
    }
    return fmt::format("{} is not {} from {} to {}", text.empty() ? "''" : text,
                       std::is_integral_v<T> ? "a whole number" : "a number", low, high);
  };
  return {check, ""};
}

/// "97x193" -> height and width; nothing for any other text.
std::optional<std::pair<int, int>> parse_size(const std::string& text);

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

/// One line. A name that is not UTF-8 gets U+FFFD where JSON has no way to write it.
std::string to_line(const nlohmann::ordered_json& json);
/// The line, on stdout.
void print_json(const nlohmann::ordered_json& json);
/// What a command that has written `file` says: on stdout, or on stderr where the file itself went to stdout.
void print_result(const std::string& file, const std::string& line, bool quiet);
/// Throws Refusal where a file on stdout would stand beside JSON. `flag` names it.
void check_not_beside_json(const std::string& flag, const std::string& file, bool json);

/// One spelling for each file, be it there or not, and however links and folders lead there.
std::string canonical(const std::string& path);
/// Throws Refusal where the file that a command is to write is one of those that it reads ("" for none): by another
/// name or a link, too. `flag` names the output in the message.
void check_not_input(const std::string& flag, const std::string& output, const std::vector<std::string>& inputs);

/// What was left out or taken off when `path` was read (models::WeightFile::notes), a line each on stderr.
void tell_notes(const std::string& path, const std::vector<std::string>& notes);

/// A subcommand. Its options are its members: `declare` tells CLI11 their addresses, so it is never copied.
class Command {
 public:
  /// Its name, its line in `giza --help`, and what stands below the flags in its own: what it reads and writes, and an
  /// example.
  Command(const char* name, const char* summary, const char* help) : words{name, summary, help} {}
  virtual ~Command() = default;
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  /// Adds flags and arguments, once.
  virtual void declare(CLI::App& app) = 0;
  /// Runs; returns the exit status. Refusal, Error and Interrupted are handled by Program.
  virtual int run(const Common& common) = 0;

  /// Whether several ranks do it together; else one does it alone.
  virtual bool for_many() const { return false; }

  const struct { const char *name, *summary, *help; } words;
};

/// The program: its subcommands, and which of them was chosen.
class Program {
 public:
  Program();

  /// Adds a command with the common flags; with a group, as one of that group's.
  void add(std::unique_ptr<Command> command, CLI::App* group = nullptr);
  /// Adds a word that only has commands below it, such as `bench`.
  CLI::App* add_group(const std::string& name, const std::string& summary);

  /// Parses, applies the common flags, runs; all errors become one line on stderr and an exit status.
  int main(int argc, const char* const* argv);

 private:
  int parse_and_run(int argc, const char* const* argv);
  int run_chosen();
  void join(const ranks::Place& place);
  /// Whether the command line begins with the name of a command that all ranks of a launch run together.
  bool is_for_many(int argc, const char* const* argv) const;
  static void silence();
  [[noreturn]] static void end_all_ranks(const std::string& message, int status);

  CLI::App app_;
  Common common_;
  std::vector<std::unique_ptr<Command>> commands_;
  Command* chosen_ = nullptr;
  std::optional<ranks::Session> session_;
  bool joined_ = false;  ///< or tried to be
};

/// A word of a command line, in quotes where a shell needs them.
std::string quoted_for_shell(const std::string& text);
/// "giza NAME --config FILE KEY 'VALUE' ...", quoted for a shell.
std::string command_line(const std::string& name, const std::string& file, const train::KeyValues& settings);

/// --config FILE and trailing KEY VALUE pairs, for commands that read a configuration.
class ConfigArguments {
 public:
  CLI::Option* declare(CLI::App& app, bool required = true);

  /// True if there is a --config. Throws Refusal for KEY VALUE pairs without one.
  bool given() const;

  /// Reads the configuration; --threads, --conv and --seed replace its keys. Names keys without a meaning here on
  /// stderr. Config::command is what gives the same configuration again.
  train::Config load(const Common& common) const;

 private:
  const CLI::App* app_ = nullptr;
  std::string file_;
};

/// True for a minus sign with a digit or a point behind it.
bool is_negative_number(const std::string& text);

/// Positional arguments of any number and form. CLI11's own lists would take a name such as [a].png apart.
class TrailingArguments {
 public:
  /// `usage` stands in the usage line: "IMAGE...".
  void declare(CLI::App& app, const std::string& usage);
  /// Throws Refusal for a flag among them that the command does not know.
  std::vector<std::string> get() const;

 private:
  const CLI::App* app_ = nullptr;
};

std::unique_ptr<Command> info_command();
std::unique_ptr<Command> scenes_command();
std::unique_ptr<Command> init_command();
std::unique_ptr<Command> check_command();
std::unique_ptr<Command> train_command();
std::unique_ptr<Command> eval_command();
std::unique_ptr<Command> plan_command();
std::unique_ptr<Command> predict_command();
std::unique_ptr<Command> explore_command();
std::unique_ptr<Command> compare_command();
std::unique_ptr<Command> run_command();
std::unique_ptr<Command> convert_command();
std::unique_ptr<Command> verify_command();
std::unique_ptr<Command> bisect_command();
std::unique_ptr<Command> bench_model_command();
std::unique_ptr<Command> profile_command();
std::unique_ptr<Command> study_command();

}  // namespace giza::cli
