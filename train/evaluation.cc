// Judging a network on a data set, and the results as JSON and as a table.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "models/weights/atomic_file.h"
#include "tensor/check.h"
#include "train/evaluator.h"
#include "train/progress.h"
#include "train/signals.h"

namespace giza::train {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

void save_masks(const LabelMap& labels, const std::string& image, const EvaluateOptions& options) {
  const std::string name = fs::path(image).stem().string() + ".png";
  write_labels(options.save_folder + "/gray/" + name, labels);
  if (!options.colors.empty()) {
    write_image(options.save_folder + "/color/" + name, colorize(labels, options.colors));
  }
}

/// Makes the folders before the first picture, so that a bad path is refused early.
void make_mask_folders(const EvaluateOptions& options) {
  for (const char* kind : {"/gray", "/color"}) {
    std::error_code error;
    fs::create_directories(options.save_folder + kind, error);
    check<Refusal>(!error, "{}{}: the folder cannot be made: {}", options.save_folder, kind, error.message());
  }
}

std::vector<int32_t> widen(const LabelMap& labels) { return {labels.index.begin(), labels.index.end()}; }

/// Counts of one picture. Throws Refusal where the prediction does not fit it.
ConfusionMatrix count(const LabelMap& prediction, const Pair& pair, const std::string& image,
                      const DatasetOptions& options) {
  check<Refusal>(prediction.width == pair.labels.width && prediction.height == pair.labels.height,
                 "{}: the prediction is {} x {}, the picture {} x {}; was it made for this data set?", image,
                 prediction.width, prediction.height, pair.labels.width, pair.labels.height);
  const uint8_t highest = *std::max_element(prediction.index.begin(), prediction.index.end());
  check<Refusal>(highest < options.classes, "{}: class {} was predicted, expected 0 to {}; check DATA.classes", image,
                 highest, options.classes - 1);
  ConfusionMatrix counts(options.classes);
  counts.add(widen(prediction), widen(pair.labels), options.ignore_label);
  return counts;
}

}  // namespace

Evaluation evaluate(const Predictor& predictor, const Dataset& dataset, const EvaluateOptions& options) {
  const int classes = dataset.options().classes;
  Evaluation result;
  result.protocol = options.protocol;
  result.counts = ConfusionMatrix(classes);
  for (int c = 0; c < classes; ++c) {
    const auto index = static_cast<size_t>(c);
    result.names.push_back(index < options.names.size() ? options.names[index] : fmt::format("class {}", c));
  }
  if (!options.save_folder.empty()) make_mask_folders(options);

  const int64_t begin = std::max<int64_t>(0, options.begin), end = std::min(dataset.size(), options.end);
  check<Refusal>(begin < end, "{}: none of its {} pictures are to be judged; check TEST.index_start and index_step",
                 dataset.options().list, dataset.size());
  std::optional<Progress> progress;
  if (options.progress) progress.emplace("eval", end - begin, "images");
  for (int64_t i = begin; i < end; ++i) {
    const std::string& image = dataset.entry(i).image;
    if (const int signal = pending_signal(); signal != 0) {
      throw Interrupted(signal, fmt::format("interrupted after {} of {} pictures", i - begin, end - begin));
    }
    const auto start = Clock::now();
    const std::shared_ptr<const Pair> pair = dataset.load(i);
    const LabelMap prediction = predictor(pair->image, dataset.entry(i));
    const ConfusionMatrix counts = count(prediction, *pair, image, dataset.options());
    result.counts.add(counts);
    result.seconds += std::chrono::duration<double>(Clock::now() - start).count();

    const Metrics metrics = counts.metrics();
    int64_t pixels = 0;
    for (const ClassMetrics& figures : metrics.classes) pixels += figures.pixels;
    result.pictures.push_back({image, pixels, metrics.all_acc, metrics.miou_present});
    if (!options.save_folder.empty()) save_masks(prediction, image, options);
    if (progress) progress->update(i - begin + 1, fmt::format("mIoU {:.4f}", result.counts.metrics().miou));
  }
  result.metrics = result.counts.metrics();
  if (progress) progress->finish(fmt::format("mIoU {:.4f}", result.metrics.miou));
  return result;
}

std::string metrics_json(const Evaluation& evaluation) {
  using Json = nlohmann::ordered_json;
  const Metrics& metrics = evaluation.metrics;
  Json json{{"protocol", evaluation.protocol},
            {"mIoU", metrics.miou},
            {"mAcc", metrics.macc},
            {"allAcc", metrics.all_acc},
            {"mIoU_present", metrics.miou_present},
            {"images", evaluation.pictures.size()},
            {"seconds", evaluation.seconds},
            {"classes", Json::array()},
            {"pictures", Json::array()}};
  for (size_t c = 0; c < metrics.classes.size(); ++c) {
    const ClassMetrics& figures = metrics.classes[c];
    json["classes"].push_back({{"name", evaluation.names[c]},
                               {"iou", figures.iou},
                               {"acc", figures.acc},
                               {"pixels", figures.pixels},
                               {"present", figures.present}});
  }
  for (const PictureResult& picture : evaluation.pictures) {
    json["pictures"].push_back({{"image", picture.image},
                                {"allAcc", picture.all_acc},
                                {"mIoU_present", picture.miou_present},
                                {"pixels", picture.pixels}});
  }
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string metrics_table(const Evaluation& evaluation) {
  const Metrics& metrics = evaluation.metrics;
  size_t width = 12;
  for (const std::string& name : evaluation.names) width = std::max(width, name.size());
  std::string table = fmt::format("{:<{}}  {:>7}  {:>7}  {:>12}\n", "class", width, "IoU", "acc", "pixels");
  for (size_t c = 0; c < metrics.classes.size(); ++c) {
    const ClassMetrics& figures = metrics.classes[c];
    table += fmt::format("{:<{}}  {:7.4f}  {:7.4f}  {:>12}{}\n", evaluation.names[c], width, figures.iou, figures.acc,
                         figures.pixels, figures.present ? "" : "  absent");
  }
  table += fmt::format("{:<{}}  {:7.4f}  (of the classes present: {:.4f})\n", "mIoU", width, metrics.miou,
                       metrics.miou_present);
  table +=
      fmt::format("{:<{}}  {:7.4f}\n{:<{}}  {:7.4f}\n", "mAcc", width, metrics.macc, "allAcc", width, metrics.all_acc);
  return table + fmt::format("{} pictures in {:.1f} s; {}\n", evaluation.pictures.size(), evaluation.seconds,
                             evaluation.protocol);
}

void write_metrics(const std::string& path, const Evaluation& evaluation) {
  models::write_text_file(path, metrics_json(evaluation));
}

}  // namespace giza::train
