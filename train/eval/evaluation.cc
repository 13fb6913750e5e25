// Judging a network on a data set.
#include <algorithm>
#include <chrono>
#include <optional>

#include "tensor/base/check.h"
#include "tensor/base/stopwatch.h"
#include "train/eval/evaluator.h"
#include "train/eval/mask_folder.h"
#include "train/progress.h"
#include "train/signals.h"

namespace giza::train {
namespace {

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

/// The figures of one picture.
PictureResult picture_result(const std::string& image, const ConfusionMatrix& counts) {
  const std::vector<ClassSums> sums = counts.sums();
  const Metrics metrics = figures_of(sums);
  PictureResult result{image, 0, metrics.all_acc, metrics.miou_present, {}};
  for (size_t c = 0; c < sums.size(); ++c) {
    result.pixels += sums[c].truth;
    if (metrics.classes[c].present) result.classes.push_back({static_cast<int32_t>(c), sums[c]});
  }
  return result;
}

/// The figure that progress shows.
std::string headline(const Metrics& metrics, bool whole_pictures) {
  return whole_pictures ? fmt::format("top-1 {:.4f}", metrics.all_acc) : fmt::format("mIoU {:.4f}", metrics.miou);
}

BootstrapResult interval_of(const std::vector<PictureResult>& pictures, int classes) {
  std::vector<std::vector<PictureClass>> sums;
  for (const PictureResult& picture : pictures) sums.push_back(picture.classes);
  return bootstrap_miou(sums, classes);
}

}  // namespace

Evaluation evaluate(const Predictor& predictor, const Dataset& dataset, const EvaluateOptions& options) {
  const int classes = dataset.options().classes;
  Evaluation result;
  result.protocol = options.protocol;
  result.whole_pictures = dataset.options().whole_picture;
  result.counts = ConfusionMatrix(classes);
  result.boundary = BoundaryCounts(classes);
  ExampleKeeper examples(options.examples, options.example_side);
  for (int c = 0; c < classes; ++c) {
    const auto index = static_cast<size_t>(c);
    result.names.push_back(index < options.names.size() ? options.names[index] : fmt::format("class {}", c));
  }
  const int64_t begin = std::max<int64_t>(0, options.begin), end = std::min(dataset.size(), options.end);
  check<Refusal>(begin < end, "{}: none of its pictures ({}) is to be judged; check TEST.index_start and index_step",
                 listing_place(dataset.options()), dataset.size());
  std::optional<MaskFolder> masks;
  if (!options.save_folder.empty()) {
    check_output_names(listing_place(dataset.options()), dataset.entries(), static_cast<size_t>(begin),
                       static_cast<size_t>(end));
    masks.emplace(options.save_folder, options.colors);
  }
  std::optional<Progress> progress;
  if (options.progress) progress.emplace("eval", end - begin, "images");
  for (int64_t i = begin; i < end; ++i) {
    const std::string& image = dataset.entry(i).image;
    if (const int signal = pending_signal(); signal != 0) {
      throw Interrupted(signal, fmt::format("interrupted after {} of {} pictures", i - begin, end - begin));
    }
    const Stopwatch watch;
    const std::shared_ptr<const Pair> pair = dataset.load(i);
    const LabelMap prediction = predictor(pair->image, dataset.entry(i));
    const ConfusionMatrix counts = count(prediction, *pair, image, dataset.options());
    result.counts.add(counts);
    if (!result.whole_pictures) result.boundary.add(prediction, pair->labels, dataset.options().ignore_label);
    result.pictures.push_back(picture_result(image, counts));
    const PictureResult& picture = result.pictures.back();
    if (picture.pixels > 0) examples.offer(i - begin, picture.miou_present, *pair, prediction);
    result.seconds += watch.seconds();

    if (masks) masks->write(dataset.entry(i), prediction);
    if (progress) progress->update(i - begin + 1, headline(result.counts.metrics(), result.whole_pictures));
  }
  result.metrics = result.counts.metrics();
  result.interval = interval_of(result.pictures, classes);
  result.worst = examples.worst();
  result.best = examples.best();
  if (progress) progress->finish(headline(result.metrics, result.whole_pictures));
  return result;
}

}  // namespace giza::train
