// Judging a network on a data set.
#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "tensor/base/check.h"
#include "tensor/base/stopwatch.h"
#include "tensor/ranks.h"
#include "train/eval/evaluator.h"
#include "train/eval/mask_folder.h"
#include "train/progress.h"
#include "train/signals.h"
#include "train/together.h"

namespace giza::train {
namespace {

std::vector<int32_t> widen(const LabelMap& labels) { return {labels.index.begin(), labels.index.end()}; }

/// Counts of one picture. Throws Refusal where the prediction does not fit it.
ConfusionMatrix count(const LabelMap& prediction, const Pair& pair, const std::string& image,
                      const DatasetOptions& options) {
  check<Refusal>(prediction.width == pair.labels.width && prediction.height == pair.labels.height,
                 "{}: the prediction is {} x {}, the picture {} x {}; was it made for this data set?", image,
                 prediction.width, prediction.height, pair.labels.width, pair.labels.height);
  const auto wrong = std::find_if(prediction.index.begin(), prediction.index.end(),
                                  [&](uint8_t value) { return value >= options.classes; });
  if (wrong != prediction.index.end()) {
    const auto at = wrong - prediction.index.begin();
    throw Refusal(
        fmt::format("{}: class {} was predicted at x {}, y {}, expected 0 to {}; check DATA.classes, and where "
                    "predictions are read "
                    "(TEST.has_prediction) the file of this name",
                    image, *wrong, at % prediction.width, at / prediction.width, options.classes - 1));
  }
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

/// As bytes, for other ranks.
std::string pack_labels(const LabelMap& labels) {
  return packed({std::to_string(labels.width),
                 std::to_string(labels.height),
                 {reinterpret_cast<const char*>(labels.index.data()), labels.index.size()}});
}

LabelMap unpack_labels(const std::string& bytes) {
  const std::vector<std::string> parts = unpacked(bytes);
  LabelMap labels(std::stoi(parts.at(0)), std::stoi(parts.at(1)));
  std::copy(parts.at(2).begin(), parts.at(2).end(), labels.index.begin());
  return labels;
}

/// The counts of the rank that leads.
ConfusionMatrix from_leader(const ConfusionMatrix& counts) {
  std::string bytes(reinterpret_cast<const char*>(counts.counts().data()), counts.counts().size() * sizeof(int64_t));
  bytes = ranks::from_leader(bytes);
  std::vector<int64_t> values(bytes.size() / sizeof(int64_t));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return {counts.classes(), std::move(values)};
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
    if (ranks::leads()) masks.emplace(options.save_folder, options.colors);
  }
  std::optional<Progress> progress;
  if (options.progress) progress.emplace("eval", end - begin, "images");
  // The pair in hand; where several ranks predict, the one that counts reads it again.
  std::shared_ptr<const Pair> pair;
  int64_t in_hand = -1;
  const auto load = [&](int64_t i) {
    if (in_hand != i) pair = dataset.load(i);
    in_hand = i;
  };
  const auto predict = [&](int64_t i) {
    load(begin + i);
    return pack_labels(predictor(pair->image, dataset.entry(begin + i)));
  };
  Stopwatch watch;
  const auto judge = [&](int64_t i, const std::string& prediction_bytes) {
    load(begin + i);
    const LabelMap prediction = unpack_labels(prediction_bytes);
    if (options.watch) options.watch(begin + i, prediction);
    const std::string& image = dataset.entry(begin + i).image;
    const ConfusionMatrix counts = count(prediction, *pair, image, dataset.options());
    result.counts.add(counts);
    if (!result.whole_pictures) result.boundary.add(prediction, pair->labels, dataset.options().ignore_label);
    result.pictures.push_back(picture_result(image, counts));
    const PictureResult& picture = result.pictures.back();
    if (picture.pixels > 0) examples.offer(i, picture.miou_present, *pair, prediction);
    result.seconds += watch.seconds();

    if (masks) masks->write(dataset.entry(begin + i), prediction);
    if (progress) progress->update(i + 1, headline(result.counts.metrics(), result.whole_pictures));
    watch.restart();
  };
  if (const int64_t done = share_out(end - begin, predict, judge); done < end - begin) {
    throw Interrupted(signal_anywhere(), fmt::format("interrupted after {} of {} pictures", done, end - begin));
  }
  if (ranks::count() > 1) result.counts = from_leader(result.counts);
  result.metrics = result.counts.metrics();
  result.interval = interval_of(result.pictures, classes);
  result.worst = examples.worst();
  result.best = examples.best();
  if (progress) progress->finish(headline(result.metrics, result.whole_pictures));
  return result;
}

}  // namespace giza::train
