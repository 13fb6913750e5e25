// What a training run shows in TensorBoard.
#include "train/tensorboard.h"

#include <algorithm>
#include <utility>

#include "train/data/known_datasets.h"
#include "train/draw/picture_sheet.h"
#include "train/draw/shrink.h"
#include "train/eval/examples.h"

namespace giza::train {
namespace {
constexpr int64_t kPictures = 4;
constexpr int kSide = 320;  // of a picture in a sheet, at most
}  // namespace

TensorBoard::TensorBoard(const std::string& folder, int64_t iteration, std::vector<Color> colors)
    : file_(folder, iteration + 1), colors_(std::move(colors)) {}

void TensorBoard::write_steps(int64_t iteration, double learning_rate, const StepMeans& means) {
  file_.write_scalars(iteration, {{"train/loss", means.loss},
                                  {"train/main_loss", means.main_loss},
                                  {"train/aux_loss", means.aux_loss},
                                  {"train/accuracy", means.accuracy},
                                  {"train/lr", learning_rate},
                                  {"train/images_per_second", means.images_per_second}});
}

PredictionWatch TensorBoard::watch(const Dataset& dataset) {
  predictions_.clear();
  const int64_t count = std::min(kPictures, dataset.size());
  for (int64_t i = 0; i < count; ++i) predictions_[i * dataset.size() / count] = {};
  return [this](int64_t index, const LabelMap& labels) {
    if (const auto wanted = predictions_.find(index); wanted != predictions_.end()) wanted->second = labels;
  };
}

void TensorBoard::write_validation(int64_t iteration, const Evaluation& evaluation, const Dataset& dataset) {
  const Metrics& metrics = evaluation.metrics;
  file_.write_scalars(iteration,
                      {{"val/mIoU", metrics.miou}, {"val/mAcc", metrics.macc}, {"val/allAcc", metrics.all_acc}});
  if (evaluation.whole_pictures) return;  // nothing to draw
  const std::vector<Color> colors = completed_colors(colors_, metrics.classes.size());
  int number = 0;
  for (const auto& [index, prediction] : predictions_) {
    const auto pair = dataset.load(index);
    const auto colored = [&](const LabelMap& labels) { return colorize(shrink_labels(labels, kSide), colors); };
    file_.write_picture(iteration, fmt::format("val/picture_{}", number++),
                        picture_sheet({"input", "truth", "prediction"},
                                      {{shrink_image(pair->image, kSide), colored(pair->labels), colored(prediction)}},
                                      /*legend=*/{}, /*zoom=*/1));
  }
}

}  // namespace giza::train
