// What settings and a few label files tell before training begins.
#include "train/check/glance.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "tensor/base/check.h"

namespace giza::train {
namespace {

constexpr int64_t kFiles = 16;

/// What is in the label files that were looked at.
struct Seen {
  int64_t files = 0;
  std::set<int> raw, classes;  // before and after the label table, without what is ignored
};

void look(const Dataset& dataset, int64_t index, Seen& seen) {
  std::set<int> raw;
  try {
    const LabelMap labels = dataset.raw_labels(index);
    raw.insert(labels.index.begin(), labels.index.end());
  } catch (const Refusal&) {
    return;
  }
  ++seen.files;
  const LabelTable* table = dataset.table(index);
  for (const int value : raw) {
    const int label = table == nullptr ? value : (*table)[static_cast<size_t>(value)];
    if (label != dataset.options().ignore_label) seen.classes.insert(label);
  }
  seen.raw.merge(raw);
}

}  // namespace

std::vector<std::string> glance_at_labels(const Dataset& dataset) {
  Seen seen;
  const int64_t files = std::min(kFiles, dataset.size());
  for (int64_t i = 0; i < files; ++i) look(dataset, i * dataset.size() / files, seen);
  if (seen.files == 0) return {};

  const DatasetOptions& options = dataset.options();
  const char* what = options.whole_picture ? "pictures" : "label files";
  const std::string which = seen.files == dataset.size() ? fmt::format("all {} {}", seen.files, what)
                                                         : fmt::format("{} {} looked at", seen.files, what);
  constexpr const char* kRemedy = "`giza check` reads all of them and proposes what would fit";
  if (options.classes == 2 && options.ignore_label == 255 && !options.label_table &&
      seen.raw == std::set<int>{0, 255}) {
    return {
        fmt::format("{}: {} hold 0 and 255 alone, and 255 is ignored, so that one class is left to learn; if 255 is "
                    "the other class, set DATA.label_map '{{0: 0, 255: 1}}'",
                    listing_place(options), which)};
  }
  if (seen.classes.empty()) {
    return {fmt::format("{}: every pixel of {} is ignored, so that there is nothing to learn; {}",
                        listing_place(options), which, kRemedy)};
  }
  if (seen.classes.size() == 1) {
    return {fmt::format("{}: {} hold no class but {}, so that there is nothing to tell apart; {}",
                        listing_place(options), which, *seen.classes.begin(), kRemedy)};
  }
  return {};
}

std::vector<std::string> glance_at_settings(const Config& config, int64_t iterations) {
  const TrainConfig& train = config.train;
  std::vector<std::string> warnings;
  const auto warn = [&](const char* key, const std::string& text) {
    warnings.push_back(fmt::format("{}: {} {}", config_place(config, key), key, text));
  };
  if (train.base_lr == 0) warn("TRAIN.base_lr", "is 0, so that the weights stay as they begin");
  const std::vector<double>& weights = train.class_weights.values;
  if (!weights.empty() && std::all_of(weights.begin(), weights.end(), [](double weight) { return weight == 0; })) {
    warn("TRAIN.class_weights", "are all 0, so that the loss is 0 and nothing is learned");
  }
  if (train.warmup_iters >= iterations) {
    warn("TRAIN.warmup_iters", fmt::format("is {}, and the run has {} iterations: the rate never reaches TRAIN.base_lr",
                                           train.warmup_iters, iterations));
  }
  if (!train.lr_steps.empty() && train.lr_steps.back() >= iterations) {
    warn("TRAIN.lr_steps", fmt::format("go up to {}, and the run has {} iterations: not all of them are reached",
                                       train.lr_steps.back(), iterations));
  }
  return warnings;
}

}  // namespace giza::train
