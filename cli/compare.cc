// giza compare: several evaluated networks side by side.
#include <fmt/format.h>

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

void print_comparison_json(const train::Comparison& comparison, const std::vector<train::ClassGroup>& groups,
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
  print_json(json);
}

class CompareCommand : public Command {
 public:
  CompareCommand()
      : Command("compare", "several evaluated networks side by side: a table and picture sheets",
                R"(Each FOLDER is the TEST.save_folder of a `giza eval` with TEST.save_masks true, on the same
TEST.test_list. Prints IoU in percent by class and network, with the means of groups of classes;
writes sheets of pictures with input, truth and each network's answer to --out: pictures spread over
the list, and in groups.png for each group the one in which the last network gains most on the first.

  giza compare --config configs/scenes/psp.yaml --out pictures --group 'context=boat,car' \
    baseline=demo/baseline/val PSPNet=demo/psp/val)") {}

  void declare(CLI::App& app) override {
    runs_.declare(app, "NAME=FOLDER...");
    app.add_option("--config", config_, "configuration of the data set")->required()->type_name("FILE");
    app.add_option("--out", out_, "folder of the sheets; none are written without it")->type_name("DIR");
    app.add_option("--group", groups_, "classes whose mean is told apart; may be repeated")
        ->type_name("NAME=CLASS,...")
        ->expected(1)
        ->allow_extra_args(false)  // one class list per --group; what follows is a NAME=FOLDER
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app.add_option("--pictures", pictures_, "pictures on the sheets")
        ->transform(within(1, 10000))
        ->capture_default_str();
  }

  int run(const Common& common) override {
    const std::vector<train::ComparedRun> runs = parse_runs(runs_.get());
    const train::Config config = train::load_config(config_);
    train::require_keys(config, {"DATA.classes"});
    train::EvaluateOptions evaluate;
    evaluate.protocol = "saved predictions";
    evaluate.names = train::class_names(config);
    evaluate.progress = !common.quiet;
    std::vector<train::ClassGroup> groups;
    for (const std::string& text : groups_) groups.push_back(train::parse_class_group(text, evaluate.names));

    const train::SignalGuard guard;
    const train::Dataset dataset(train::dataset_options(config, train::Split::test));
    std::vector<std::string> read = {config_};
    for (const train::ComparedRun& run : runs) {
      for (const train::ListEntry& entry : dataset.entries()) {
        read.push_back(fmt::format("{}/gray/{}.png", run.folder, train::output_name(entry)));
      }
    }
    const KeptFiles kept(train::input_files(std::move(read), config, dataset.options(), dataset.entries()));
    const train::Comparison comparison = train::compare_runs(runs, dataset, evaluate);
    std::vector<std::string> sheets;
    if (!out_.empty()) {
      train::SheetOptions sheet;
      sheet.pictures = pictures_;
      sheet.names = evaluate.names;
      sheet.colors = train::mask_colors(config);
      sheets = train::write_comparison_sheets(comparison, dataset, out_, sheet);
      const std::string by_group = train::write_group_sheet(comparison, groups, dataset, out_, sheet);
      if (!by_group.empty()) sheets.insert(sheets.begin(), by_group);
    }
    if (common.json) {
      print_comparison_json(comparison, groups, sheets);
    } else {
      fmt::print("{}", train::comparison_table(comparison, groups));
      for (const std::string& sheet : sheets) fmt::print("{}\n", sheet);
    }
    return 0;
  }

 private:
  TrailingArguments runs_;
  std::string config_, out_;
  std::vector<std::string> groups_;
  int pictures_ = train::SheetOptions{}.pictures;
};

}  // namespace

std::unique_ptr<Command> compare_command() { return std::make_unique<CompareCommand>(); }

}  // namespace giza::cli
