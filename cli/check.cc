// giza check: reads a data set before training; flags and printing around train/check/data_check.h.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>

#include "cli/command.h"
#include "tensor/base/file.h"
#include "train/check/data_check.h"
#include "train/config/parts.h"
#include "train/data/dataset.h"
#include "train/eval/mask_folder.h"
#include "train/eval/refined_boxes.h"
#include "train/trainer.h"

namespace giza::cli {
namespace {

class CheckCommand : public Command {
 public:
  CheckCommand()
      : Command("check", "read a data set before training: labels, faults, what would fit",
                R"(Reads every picture and label file of DATA.train_list, DATA.val_list and TEST.test_list, or of the
folders of DATA.dataset. Prints the share of each class, the mean of the pixels, and what is wrong
or odd: files that are missing or broken, label values and sizes that do not fit, masks in colours,
classes that never occur, pictures in both training and validation. Where the labels do not fit, it
proposes the keys that would make them fit. What giza train would refuse is told too. Exit status: 0
everything fits, but perhaps for initial weights that are not there yet; 1 something does not; 2 the
configuration or a list cannot be read.

  giza check --config my.yaml DATA.classes 12)") {}

  void declare(CLI::App& app) override {
    arguments_.declare(app);
    app.add_option("--show", examples_, "files or values to name of each kind of fault")
        ->transform(within(size_t{0}, size_t{1000000}))
        ->type_name("N")
        ->capture_default_str();
    app.add_option("--labels", labels_,
                   "write the label maps that training begins with (DATA.weak_labels) into this folder")
        ->type_name("DIR");
  }

  int run(const Common& common) override {
    const train::Config config = arguments_.load(common);
    train::DataReport report = train::check_data(config, {.examples = examples_, .progress = !common.quiet});
    // Whoever only looks at data has no settings of training.
    const bool trains = std::any_of(config.origins.begin(), config.origins.end(),
                                    [](const auto& origin) { return origin.first.starts_with("TRAIN."); });
    bool refused = false;
    if (trains && train::has_pictures(config, train::Split::train) && report.can_start()) {
      try {
        train::check_training_starts(config);
      } catch (const Refusal& refusal) {
        report.add_refusal(refusal.what());
        refused = true;
      }
    }
    // What was given on the command line stays, but for what a proposal replaces.
    const auto again = [&](const train::KeyValues& proposed) {
      train::KeyValues settings = config.overrides;
      std::erase_if(settings, [&](const auto& given) {
        return std::any_of(proposed.begin(), proposed.end(), [&](const auto& one) { return one.first == given.first; });
      });
      settings.insert(settings.end(), proposed.begin(), proposed.end());
      return command_line("check", config.file, settings);
    };
    fmt::print("{}", common.json ? train::report_json(report, again) : train::report_text(report, again));
    if (report.ok() && !labels_.empty()) write_training_labels(config);
    return report.ok() && !refused ? 0 : 1;  // initial weights may come later
  }

 private:
  void write_training_labels(const train::Config& config) const {
    const train::Dataset dataset(train::dataset_options(config, train::Split::train));
    train::check_output_names(train::listing_place(dataset.options()), dataset.entries());
    const KeptFiles kept(train::input_files({config.file}, config, dataset.options(), dataset.entries()));
    train::check_masks_new(labels_, dataset.entries());
    const train::MaskFolder masks(labels_, train::mask_colors(config));
    for (int64_t i = 0; i < dataset.size(); ++i) {
      masks.write(dataset.entry(i), train::first_labels(dataset.unweakened(i), dataset.entry(i), i, dataset.options(),
                                                        config.test.crf_options));
    }
  }

  ConfigArguments arguments_;
  std::string labels_;
  size_t examples_ = 5;
};

}  // namespace

std::unique_ptr<Command> check_command() { return std::make_unique<CheckCommand>(); }

}  // namespace giza::cli
