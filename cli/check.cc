// giza check: reads a data set before training; flags and printing around train/check/data_check.h.
#include <fmt/format.h>

#include <memory>
#include <string>

#include "cli/command.h"
#include "train/check/data_check.h"

namespace giza::cli {
namespace {

int run(const ConfigArguments& arguments, const Common& common, size_t examples) {
  const train::Config config = arguments.load(common);
  const train::DataReport report = train::check_data(config, {.examples = examples, .progress = !common.quiet});
  fmt::print("{}", common.json ? train::report_json(report) : train::report_text(report));
  return report.ok() ? 0 : 1;
}

}  // namespace

void add_check(Program& program) {
  const auto arguments = std::make_shared<std::unique_ptr<ConfigArguments>>();
  const auto examples = std::make_shared<size_t>(5);
  CLI::App* command = program.add(
      "check", "read a data set before training: labels, sizes, faults, and what would fit",
      "Reads every picture and label file of DATA.train_list, DATA.val_list and TEST.test_list, or of the folders of\n"
      "DATA.dataset. Prints the share of each class, the mean of the pixels, and what is wrong or odd: files that are\n"
      "missing or broken, label values and sizes that do not fit, masks in colours, classes that never occur, "
      "pictures\n"
      "in both training and validation. Where the labels do not fit, it proposes the keys that would make them fit.\n"
      "Exit status: 0 everything fits, 1 something does not, 2 the configuration or a list cannot be read.\n\n"
      "  giza check --config my.yaml DATA.classes 12",
      [arguments, examples](const Common& common) { return run(**arguments, common, *examples); });
  *arguments = std::make_unique<ConfigArguments>(command);
  command->add_option("--show", *examples, "files or values to name of each kind of fault")
      ->check(within(size_t{0}, size_t{1000000}))
      ->type_name("N")
      ->capture_default_str();
}

}  // namespace giza::cli
