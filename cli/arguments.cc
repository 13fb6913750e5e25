// Arguments that several commands share: a configuration with overrides, lists of files.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <memory>

#include "cli/command.h"
#include "tensor/base/check.h"
#include "tensor/parallel.h"
#include "train/config/parts.h"

namespace giza::cli {
namespace {

/// CLI11's help with our own words at the end of the usage line.
class UsageFormatter : public CLI::Formatter {
 public:
  explicit UsageFormatter(std::string trailing) : trailing_(std::move(trailing)) { column_width(30); }
  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string text = CLI::Formatter::make_usage(app, name);
    text.insert(std::min(text.find_last_not_of('\n') + 1, text.size()), " " + trailing_);
    return text;
  }

 private:
  std::string trailing_;
};

bool is_number(const std::string& text) {
  return text.size() > 1 && text[0] == '-' && (text[1] == '.' || (text[1] >= '0' && text[1] <= '9'));
}

std::vector<std::string> trailing_arguments(const CLI::App& app) {
  std::vector<std::string> arguments = app.remaining();
  for (const std::string& argument : arguments) {
    check<Refusal>(argument.empty() || argument[0] != '-' || is_number(argument),
                   "{}: unknown flag {}; `giza {} --help` shows the usage", app.get_name(), argument, app.get_name());
  }
  return arguments;
}

}  // namespace

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
  return config;
}

}  // namespace giza::cli
