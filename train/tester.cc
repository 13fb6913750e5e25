// Testing: a configuration's network on its pictures.
#include "train/tester.h"

#include <fmt/ranges.h>

#include <string>
#include <utility>
#include <vector>

#include "models/weights/infer.h"
#include "models/weights/naming.h"
#include "models/weights/state_dict.h"
#include "tensor/base/check.h"
#include "tensor/base/file.h"
#include "tensor/ranks.h"
#include "train/config/card.h"
#include "train/config/parts.h"
#include "train/cost/rehearsal.h"
#include "train/eval/mask_folder.h"
#include "train/report/run_report.h"
#include "train/together.h"

namespace giza::train {

namespace {

/// What the names of a file that does not fit say of its network, where that is another: "; its names are those of
/// ...".
std::string other_architecture(const models::WeightFile& file, const std::string& path, const std::string& arch) {
  try {
    const models::NetworkOptions guess = models::options_from_weights(file, path);
    return guess.arch == arch ? "" : fmt::format("; its names are those of TRAIN.arch {}", guess.arch);
  } catch (const Refusal&) {
    return "";  // of none that giza has
  }
}

}  // namespace

TestedNetwork load_tested_network(const Config& config) {
  const std::string& path = config.test.model_path;
  const models::WeightFile file = models::read_semseg_weights(path);
  models::NetworkOptions options = model_options(config);
  std::vector<std::string> notes = file.notes;
  const bool told_by_names = file.metadata.contains(models::kToldByKey) || file.metadata.contains(models::kNamingKey);
  if (file.metadata.contains(models::kModelKey) && !file.metadata.contains(models::kToldByKey)) {
    const ConvEngine conv = options.backbone.conv;
    const models::NetworkOptions told = models::options_from_weights(file, path);
    std::vector<std::string> others;
    for (const auto& [key, value] : models::settings_that_differ(told, options)) {
      if (config.origins.contains("TRAIN." + key)) others.push_back(fmt::format("{} {}", key, value));
    }
    if (!others.empty()) {
      notes.push_back(fmt::format("the file's own network is tested, with {}, whatever the configuration says of TRAIN",
                                  fmt::join(others, ", ")));
    }
    options = told;
    options.backbone.conv = conv;
  } else if (told_by_names) {
    const models::NetworkOptions guess = models::options_from_weights(file, path);
    const auto given = [&](const char* key) { return config.origins.contains(key); };
    if (!given("TRAIN.stem_channels")) options.backbone.stem_channels = guess.backbone.stem_channels;
    if (!given("TRAIN.first_block_dilation")) options.backbone.first_block = guess.backbone.first_block;
    if (!given("TRAIN.stride_in")) options.backbone.stride_in = guess.backbone.stride_in;
    if (!given("TRAIN.ceil_pool")) options.backbone.ceil_pool = guess.backbone.ceil_pool;
    if (!given("TRAIN.align_corners")) options.align_corners = guess.align_corners;
  }
  check<Refusal>(options.classes == config.data.classes,
                 "{}: the network has {} classes, expected DATA.classes = {} ({})", path, options.classes,
                 config.data.classes, config_place(config, "DATA.classes"));
  const bool whole = models::find_architecture(options.arch)->whole_picture;
  check<Refusal>(whole == classifies_pictures(config),
                 "{}: the network is of arch {}, which gives {}, expected one like TRAIN.arch {} ({})", path,
                 options.arch, whole ? "each picture one class" : "each pixel a class", config.train.arch,
                 config_place(config, "TRAIN.arch"));
  options.aux = false;  // used in training only
  auto model = models::make_parser(options);
  try {
    models::load_state_dict(*model, file, path);
  } catch (const Refusal& refusal) {
    throw Refusal(refusal.what() + other_architecture(file, path, options.arch));
  }
  return {std::move(model), test_protocol(config, normalization_from_metadata(file.metadata, path)), std::move(notes)};
}

PictureSpan tested_pictures(const TestConfig& test) {
  return {test.index_start, test.index_step == 0 ? INT64_MAX : int64_t{test.index_start} + test.index_step};
}

Predictor bounded_predictor(const TestedNetwork& network, const std::string& weights) {
  return [predict = network_predictor(network_of(*network.model, weights), network.protocol),
          memory = std::make_shared<PredictionMemory>(*network.model),
          protocol = network.protocol](const Image& image, const ListEntry& entry) {
    memory->check_fits(entry.image, {image.width, image.height}, protocol);
    return with_place(entry.image, [&] { return predict(image, entry); });
  };
}

Evaluation test(const Config& config, const TestedNetwork* network, const Dataset& dataset, bool progress,
                const std::string& report) {
  const PictureSpan span = tested_pictures(config.test);
  const std::string& folder = config.test.save_folder;
  const KeptFiles kept(
      input_files({config.file, config.test.model_path}, config, dataset.options(), dataset.entries()));
  EvaluateOptions options;
  options.protocol = network != nullptr ? protocol_name(network->protocol) : "saved predictions";
  options.names = class_names(config);
  options.colors = mask_colors(config);
  if (config.test.save_masks && network != nullptr) options.save_folder = folder;
  options.begin = span.begin;
  options.end = span.end;
  options.progress = progress;
  options.examples = kReportExamples;
  const Predictor predictor =
      network != nullptr ? bounded_predictor(*network, config.test.model_path) : saved_predictor(folder + "/gray");
  check_ranks_agree([&] {
    return std::vector<Fact>{{"the test protocol", options.protocol}, {"the list of pictures", list_hash(dataset)}};
  });
  if (!options.save_folder.empty()) {
    const auto begin = static_cast<size_t>(span.begin), end = static_cast<size_t>(span.end);
    check_masks_new(options.save_folder, dataset.entries(), begin, end);
  }
  check_not_kept(folder + "/metrics.json");
  check_not_kept(report.empty() ? folder + "/report.html" : report);
  if (network != nullptr) start_alike(*network->model, nullptr);
  Evaluation evaluation = evaluate(predictor, dataset, options);
  if (!ranks::leads()) return evaluation;
  make_folder(folder);
  write_file(folder + "/metrics.json", metrics_json(evaluation));
  write_evaluation_report(report.empty() ? folder + "/report.html" : report, config, dataset, evaluation);
  return evaluation;
}

}  // namespace giza::train
