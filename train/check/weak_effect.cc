// How far the labels that training sees are from the masks, where DATA.weak_labels makes them weaker.
#include "train/check/weak_effect.h"

#include <memory>
#include <mutex>

#include "tensor/base/check.h"
#include "tensor/base/text.h"
#include "tensor/parallel.h"
#include "train/eval/refined_boxes.h"
#include "train/signals.h"

namespace giza::train {

void add_effect(const LabelMap& mask, const LabelMap& labels, int ignore_label, WeakEffect* effect) {
  ++effect->pictures;
  ++effect->weak_pictures;
  for (size_t i = 0; i < labels.index.size(); ++i) {
    if (mask.index[i] == ignore_label) continue;
    ++effect->pixels;
    const bool ignored = labels.index[i] == ignore_label;
    effect->ignored += ignored;
    effect->other_class += !ignored && labels.index[i] != mask.index[i];
  }
}

WeakEffect weak_effect(const DatasetOptions& options, const std::vector<ListEntry>& entries, const CrfOptions& crf) {
  std::unique_ptr<const LabelColors> colors;
  if (!options.label_colors.empty()) {
    colors = std::make_unique<LabelColors>(options.label_colors, options.ignore_label);
  }
  const bool needs_picture = options.weak.kind == WeakLabels::Kind::crf;
  WeakEffect effect;
  std::mutex mutex;
  const auto count = [&](int64_t index) {
    if (pending_signal() != 0) return;
    const ListEntry& entry = entries[static_cast<size_t>(index)];
    Pair pair;
    try {
      if (needs_picture) {
        pair = read_pair(entry, options, colors.get());
      } else {
        pair.labels = mapped_labels(entry, options, colors.get());
      }
    } catch (const Refusal&) {
      return;  // The report names it already.
    }
    const bool weak = is_weak(options.weak, index);
    const LabelMap labels = weak ? first_labels(pair, entry, index, options, crf) : LabelMap();
    const std::lock_guard lock(mutex);
    if (weak) {
      add_effect(pair.labels, labels, options.ignore_label, &effect);
    } else {
      ++effect.pictures;
    }
  };
  const auto size = static_cast<int64_t>(entries.size());
  if (needs_picture) {
    for (int64_t index = 0; index < size; ++index) count(index);  // a CRF has threads of its own
  } else {
    parallel_for(size, count);
  }
  return effect;
}

std::string weak_effect_text(const WeakEffect& effect) {
  const auto percent = [&](int64_t part) {
    return effect.pixels == 0 ? 0.0 : 100 * static_cast<double>(part) / static_cast<double>(effect.pixels);
  };
  return fmt::format(
      "{} of {} have boxes in place of masks: of the labelled pixels there, {:.2f} % get another class and {:.2f} % "
      "are ignored",
      effect.weak_pictures, counted(effect.pictures, "picture"), percent(effect.other_class), percent(effect.ignored));
}

}  // namespace giza::train
