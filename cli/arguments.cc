// Arguments that several commands share: a configuration with overrides, lists of files.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string_view>

#include "cli/command.h"
#include "tensor/base/check.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"
#include "train/config/keys.h"
#include "train/config/parts.h"

namespace giza::cli {
namespace {

/// CLI11's help with our own words at the end of the usage line, and without the lists of flags that exclude a flag.
class UsageFormatter : public CLI::Formatter {
 public:
  explicit UsageFormatter(std::string trailing) : trailing_(std::move(trailing)) { column_width(30); }
  std::string make_option_opts(const CLI::Option* option) const override {
    const std::string text = CLI::Formatter::make_option_opts(option);
    return text.substr(0, text.find(" Excludes:"));
  }
  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string text = CLI::Formatter::make_usage(app, name);
    text.insert(std::min(text.find_last_not_of('\n') + 1, text.size()), " " + trailing_);
    return text;
  }

 private:
  std::string trailing_;
};

/// What the command line said of a configuration: the SIMD target and keys, texts without the quotes of YAML.
train::KeyValues given_settings(const train::Config& config) {
  train::KeyValues settings;
  if (const auto targets = isa_targets(); !targets.empty() && isa() != targets.front()) {
    settings.emplace_back("--isa", isa());
  }
  for (const train::Key& key : train::config_keys()) {
    const auto origin = config.origins.find(key.full_name());
    if (origin == config.origins.end() || origin->second != "command line") continue;
    train::Config copy = config;
    const train::Field field = key.field(copy);
    const auto* text = std::get_if<std::string*>(&field);
    settings.emplace_back(key.full_name(), text != nullptr ? **text : train::write_value(key, config));
  }
  return settings;
}

std::vector<std::string> trailing_arguments(const CLI::App& app) {
  std::vector<std::string> arguments = app.remaining();
  for (const std::string& argument : arguments) {
    check<Refusal>(argument.empty() || argument[0] != '-' || is_negative_number(argument),
                   "{}: unknown flag {}; `giza {} --help` shows the usage", app.get_name(), argument, app.get_name());
  }
  return arguments;
}

}  // namespace

std::string quoted_for_shell(const std::string& text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           (c < 0x80 && c != 0 && std::string_view("_./=:,+-@%").find(static_cast<char>(c)) != std::string_view::npos);
  });
  if (plain) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::optional<std::pair<int, int>> parse_size(const std::string& text) {
  int height = 0, width = 0;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, height);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != 'x') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, width);
  if (second.ec != std::errc() || second.ptr != end) return std::nullopt;
  return std::pair(height, width);
}

std::string command_line(const std::string& name, const std::string& file, const train::KeyValues& settings) {
  std::string line = fmt::format("giza {} --config {}", name, quoted_for_shell(file));
  for (const auto& [key, value] : settings) line += fmt::format(" {} {}", key, quoted_for_shell(value));
  return line;
}

std::string canonical(const std::string& path) {
  std::error_code error;  // a path that cannot be followed stays as it is
  // Absolute first: of a relative path whose beginning is not there, the rest would keep its spelling.
  const std::filesystem::path found = std::filesystem::weakly_canonical(std::filesystem::absolute(path), error);
  return error ? path : found.string();
}

void check_not_input(const std::string& flag, const std::string& output, const std::vector<std::string>& inputs) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (output.empty() || !fs::is_regular_file(output, error)) return;  // a new file, or a device
  for (const std::string& input : inputs) {
    check<Refusal>(input.empty() || !fs::equivalent(output, input, error),
                   "{}: {} is read by this command{}, and would be overwritten; give another name", flag, output,
                   input == output ? "" : fmt::format(" as {}", input));
  }
}

bool is_negative_number(const std::string& text) {
  return text.size() > 1 && text[0] == '-' && (text[1] == '.' || (text[1] >= '0' && text[1] <= '9'));
}

void TrailingArguments::declare(CLI::App& app, const std::string& usage) {
  app_ = &app;
  app.allow_extras();
  app.formatter(std::make_shared<UsageFormatter>(usage));
}

std::vector<std::string> TrailingArguments::get() const { return trailing_arguments(*app_); }

CLI::Option* ConfigArguments::declare(CLI::App& app, bool required) {
  app_ = &app;
  app.allow_extras();
  app.formatter(std::make_shared<UsageFormatter>("[KEY VALUE ...]"));
  return app.add_option("--config", file_, "configuration: semseg's YAML with some keys of our own")
      ->required(required)
      ->type_name("FILE");
}

bool ConfigArguments::given() const {
  if (!file_.empty()) return true;
  const std::vector<std::string> rest = trailing_arguments(*app_);
  check<Refusal>(rest.empty(), "{}: {} without --config FILE; `giza {} --help` shows the usage", app_->get_name(),
                 rest.empty() ? "" : rest.front(), app_->get_name());
  return false;
}

train::Config ConfigArguments::load(const Common& common) const {
  train::Config config = train::load_config(file_, trailing_arguments(*app_));
  if (!config.unused.empty()) {
    tell("{}: without a meaning on a CPU, ignored: {}", config.file, fmt::join(config.unused, ", "));
  }
  if (const auto others = config.of_other_networks(); !others.empty()) {
    tell("{}: without a meaning for TRAIN.arch {}, ignored: {}", config.file, config.train.arch,
         fmt::join(others, ", "));
  }
  for (const std::string& note : train::built_in_notes(config)) tell("{}", note);
  const auto replace = [&](const char* key, auto& field, const auto& value) {
    field = value;
    config.origins[key] = "command line";
  };
  if (common.threads > 0) replace("TRAIN.threads", config.train.threads, common.threads);
  if (!common.conv.empty()) replace("TRAIN.conv", config.train.conv, common.conv);
  if (!common.algorithm.empty()) replace("TRAIN.algorithm", config.train.algorithm, common.algorithm);
  if (common.seed) replace("TRAIN.manual_seed", config.train.manual_seed, *common.seed);
  if (config.train.threads > 0) set_num_threads(config.train.threads);
  check_threads_start();
  config.command = command_line(app_->get_name(), config.file, given_settings(config));
  return config;
}

}  // namespace giza::cli
