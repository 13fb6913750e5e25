// giza compare: several evaluated networks side by side.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cli/command.h"
#include "tensor/base/check.h"
#include "train/config/parts.h"
#include "train/eval/comparison.h"
#include "train/signals.h"

namespace giza::cli {
namespace {

struct Options {
  std::string config, out;
  std::vector<std::string> groups;
  int pictures = train::SheetOptions{}.pictures;
};

std::vector<train::ComparedRun> parse_runs(const std::vector<std::string>& texts) {
  std::vector<train::ComparedRun> runs;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    check<Refusal>(equals != std::string::npos && equals > 0 && equals + 1 < text.size(),
                   "compare: {} is not NAME=FOLDER, expected a name and the TEST.save_folder of a `giza eval`", text);
    runs.push_back({text.substr(0, equals), text.substr(equals + 1)});
  }
  check<Refusal>(!runs.empty(), "compare: nothing to compare, expected NAME=FOLDER...");
  return runs;
}

void print_json(const train::Comparison& comparison, const std::vector<train::ClassGroup>& groups,
                const std::vector<std::string>& sheets) {
  nlohmann::ordered_json json = {{"runs", nlohmann::ordered_json::array()}, {"sheets", sheets}};
  for (size_t i = 0; i < comparison.runs.size(); ++i) {
    const train::Evaluation& evaluation = comparison.evaluations[i];
    nlohmann::ordered_json run = {{"name", comparison.runs[i].name},
                                  {"folder", comparison.runs[i].folder},
                                  {"metrics", nlohmann::ordered_json::parse(train::metrics_json(evaluation))}};
    for (const train::ClassGroup& group : groups) {
      run["groups"][group.name] = train::group_miou(evaluation, group.classes) / 100;
    }
    json["runs"].push_back(std::move(run));
  }
  fmt::print("{}\n", json.dump());
}

int run(const Options& options, const std::vector<std::string>& texts, const Common& common) {
  const std::vector<train::ComparedRun> runs = parse_runs(texts);
  const train::Config config = train::load_config(options.config);
  train::require_keys(config, {"DATA.classes"});
  train::EvaluateOptions evaluate;
  evaluate.protocol = "saved predictions";
  evaluate.names = train::class_names(config);
  evaluate.progress = !common.quiet;
  std::vector<train::ClassGroup> groups;
  for (const std::string& text : options.groups) groups.push_back(train::parse_class_group(text, evaluate.names));

  const train::SignalGuard guard;
  const train::Dataset dataset(train::dataset_options(config, train::Split::test));
  const train::Comparison comparison = train::compare_runs(runs, dataset, evaluate);
  std::vector<std::string> sheets;
  if (!options.out.empty()) {
    train::SheetOptions sheet;
    sheet.pictures = options.pictures;
    sheet.names = evaluate.names;
    sheet.colors = train::class_colors(config);
    sheets = train::write_comparison_sheets(comparison, dataset, options.out, sheet);
  }
  if (common.json) {
    print_json(comparison, groups, sheets);
  } else {
    fmt::print("{}", train::comparison_table(comparison, groups));
    for (const std::string& sheet : sheets) fmt::print("{}\n", sheet);
  }
  return 0;
}

}  // namespace

void add_compare(Program& program) {
  const auto options = std::make_shared<Options>();
  const auto runs = std::make_shared<std::unique_ptr<TrailingArguments>>();
  CLI::App* command =
      program.add("compare", "several evaluated networks side by side: a table and picture sheets",
                  "Each FOLDER is the TEST.save_folder of a `giza eval` with TEST.save_masks true, on the same "
                  "TEST.test_list. Prints\n"
                  "IoU in percent by class and network, with the means of groups of classes; writes sheets of pictures "
                  "with input,\n"
                  "truth and each network's answer to --out.\n\n"
                  "  giza compare --config configs/scenes/psp.yaml --out pictures --group 'context=boat,car' \\\n"
                  "    baseline=demo/baseline/val PSPNet=demo/psp/val",
                  [options, runs](const Common& common) { return run(*options, (*runs)->get(), common); });
  *runs = std::make_unique<TrailingArguments>(command, "NAME=FOLDER...");
  command->add_option("--config", options->config, "configuration of the data set")->required()->type_name("FILE");
  command->add_option("--out", options->out, "folder of the sheets; none are written without it")->type_name("DIR");
  command->add_option("--group", options->groups, "classes whose mean is told apart; may be repeated")
      ->type_name("NAME=CLASS,...")
      ->expected(1)
      ->allow_extra_args(false)  // one class list per --group; what follows is a NAME=FOLDER
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--pictures", options->pictures, "pictures on the sheets")
      ->check(within(1, 10000))
      ->capture_default_str();
}

}  // namespace giza::cli
