// giza eval: the test protocol on a data set; flags and printing around train/tester.h.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "cli/command.h"
#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/base/text.h"
#include "tensor/ranks.h"
#include "train/config/parts.h"
#include "train/cost/rehearsal.h"
#include "train/eval/evaluator.h"
#include "train/eval/mask_folder.h"
#include "train/eval/picture_classes.h"
#include "train/progress.h"
#include "train/signals.h"
#include "train/tester.h"
#include "train/together.h"

namespace giza::cli {
namespace {

/// TEST.split test: the list has no labels, so pictures are only predicted.
int predict_unlabelled(const train::Config& config, const train::TestedNetwork& tested, const Common& common) {
  const train::DatasetOptions options = train::dataset_options(config, train::Split::test);
  std::string note;
  const std::vector<train::ListEntry> entries = train::list_pictures(options, train::LabelColumn::optional, &note);
  if (!common.quiet && !note.empty()) tell("{}", note);
  train::check_list_files(train::listing_place(options), entries, options.data_root, train::LabelColumn::optional);
  const KeptFiles kept(train::input_files({config.file, config.test.model_path}, config, options, entries));
  const train::Network network = train::network_of(*tested.model, config.test.model_path);
  const train::ProtocolOptions& protocol = tested.protocol;
  const train::PictureSpan span = train::tested_pictures(config.test);
  const int64_t end = std::min(span.end, static_cast<int64_t>(entries.size()));
  check<Refusal>(span.begin < end,
                 "{}: none of its pictures ({}) is to be predicted; check TEST.index_start and index_step",
                 train::listing_place(options), entries.size());
  std::optional<train::MaskFolder> masks;
  std::optional<OutputFile> guesses;
  const std::vector<std::string> names =
      network.whole_picture ? train::class_names(config) : std::vector<std::string>();
  if (network.whole_picture) {
    make_folder(config.test.save_folder);
    if (ranks::leads()) guesses.emplace(config.test.save_folder + "/" + train::kGuessesFile);
  } else {
    // Before the first picture: two of one name would leave one result.
    train::check_output_names(train::listing_place(options), entries, static_cast<size_t>(span.begin),
                              static_cast<size_t>(end));
    train::check_masks_new(config.test.save_folder, entries, static_cast<size_t>(span.begin), static_cast<size_t>(end));
    masks.emplace(config.test.save_folder, train::mask_colors(config));
  }
  train::PredictionMemory memory(*tested.model);
  train::check_ranks_agree([&] {
    return std::vector<train::Fact>{{"the test protocol", train::protocol_name(protocol)},
                                    {"the number of pictures", std::to_string(entries.size())}};
  });
  train::start_alike(*tested.model, nullptr);
  const int64_t count = end - span.begin;
  train::Progress progress("predict", count, "images");
  const auto work = [&](int64_t i) -> std::string {
    const train::ListEntry& entry = entries[static_cast<size_t>(span.begin + i)];
    const auto [width, height] = train::read_image_size(entry.image);
    memory.check_fits(entry.image, {width, height}, protocol);
    const train::Image image = train::read_image(entry.image);
    if (!masks) {
      return train::guess_json(entry.image, train::classify_picture(network, image, protocol, names)) + "\n";
    }
    masks->write(entry, train::predict_labels(network, image, protocol));
    return {};
  };
  const auto collect = [&](int64_t i, const std::string& guess) {
    if (guesses) guesses->write(guess);
    progress.update(i + 1);
  };
  if (const int64_t done = train::share_out(count, work, collect); done < count) {
    throw train::Interrupted(train::signal_anywhere(), fmt::format("stopped after {} pictures", done));
  }
  progress.finish();
  if (guesses) guesses->commit();
  if (common.json) {
    print_json({{"images", count}, {"protocol", train::protocol_name(protocol)}, {"folder", config.test.save_folder}});
  } else {
    fmt::print("{} predicted ({}) in {}\n", counted(count, "picture"), train::protocol_name(protocol),
               config.test.save_folder);
  }
  return 0;
}

class EvalCommand : public Command {
 public:
  EvalCommand()
      : Command("eval", "the test protocol on a data set: mIoU, accuracies, masks",
                R"(Reads TEST.model_path and TEST.test_list (without it, the TEST.split of DATA.dataset); writes
TEST.save_folder/metrics.json and, with TEST.save_masks true, gray/NAME.png (class indices) and
color/NAME.png (the same with a palette of the classes' colours; without a file of them, PASCAL
VOC's rule). TEST.split test: no labels, only masks are written. The protocol is semseg's: the
picture scaled, cut into tiles, each averaged with its mirror image; several TEST.scales are
averaged. Two means are printed: over all classes with absent ones as 0 (semseg), and over those
present (mmsegmentation); then the interval of the first in 95 % of resamplings of the pictures.

TEST.save_folder/report.html (or --report FILE) shows it all in a browser: classes, confusions,
boundaries, the worst and the best pictures, and the curves of the training where its log.jsonl
lies beside TEST.model_path.

Of a classifier of whole pictures allAcc is the top-1 accuracy and mAcc its mean over the classes;
probabilities are averaged over tiles, mirrored tiles and scales. With TEST.split test it writes
TEST.save_folder/predictions.jsonl, a line per picture.

  giza eval --config configs/scenes/psp.yaml TEST.scales '[0.75, 1.0, 1.25]')") {}

  void declare(CLI::App& app) override {
    arguments_.declare(app);
    app.add_option("--report", report_, "the page to write instead of TEST.save_folder/report.html")->type_name("FILE");
  }

  bool for_many() const override { return true; }

  int run(const Common& common) override {
    const train::Config config = arguments_.load(common);
    check_not_input(
        "--report", report_,
        {config.file, config.test.model_path, config.test.test_list, config.names_path(), config.colors_path()});
    train::require_keys(config, {"DATA.classes", "TEST.save_folder"});
    const train::SignalGuard guard;
    const bool whole = train::classifies_pictures(config);
    check<Refusal>(
        !whole || (!config.test.has_prediction && !config.test.save_masks),
        "{}: TRAIN.arch {} gives each picture one class, so that there are no masks; set TEST.has_prediction "
        "and TEST.save_masks false",
        train::config_place(config, config.test.save_masks ? "TEST.save_masks" : "TEST.has_prediction"),
        config.train.arch);
    train::test_protocol(config).validate();
    std::optional<train::TestedNetwork> tested;
    if (!config.test.has_prediction) {
      train::require_keys(config, {"TEST.model_path"});
      tested = train::load_tested_network(config);
      if (!common.quiet) tell_notes(config.test.model_path, tested->notes);
    }
    if (config.test.split == "test") {
      check<Refusal>(tested.has_value(),
                     "{}: TEST.split test has no labels to judge predictions by, expected train or val",
                     train::config_place(config, "TEST.split"));
      check<Refusal>(report_.empty(), "--report {}: TEST.split test has no labels, so that there is nothing to report",
                     report_);
      return predict_unlabelled(config, *tested, common);
    }
    const train::Dataset dataset(train::dataset_options(config, train::Split::test));
    if (!common.quiet && !dataset.note().empty()) tell("{}", dataset.note());
    if (!tested) {
      const train::PictureSpan span = train::tested_pictures(config.test);
      train::check_output_names(train::listing_place(dataset.options()), dataset.entries(),
                                static_cast<size_t>(span.begin), static_cast<size_t>(span.end));
    }
    const std::string page = report_.empty() ? config.test.save_folder + "/report.html" : report_;
    const train::Evaluation evaluation = train::test(config, tested ? &*tested : nullptr, dataset, !common.quiet, page);
    if (!common.quiet) tell("the report is {}", page);
    if (common.json) {
      print_json(nlohmann::ordered_json::parse(train::metrics_json(evaluation)));
    } else {
      fmt::print("{}", train::metrics_table(evaluation));
    }
    return 0;
  }

 private:
  ConfigArguments arguments_;
  std::string report_;
};

}  // namespace

std::unique_ptr<Command> eval_command() { return std::make_unique<EvalCommand>(); }

}  // namespace giza::cli
