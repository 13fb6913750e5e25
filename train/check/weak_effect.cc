// How far the labels that training sees are from the masks, where DATA.weak_labels makes them weaker.
#include "train/check/weak_effect.h"

#include <memory>
#include <mutex>

#include "tensor/base/check.h"
#include "tensor/base/text.h"
#include "tensor/parallel.h"
#include "train/signals.h"

namespace giza::train {

WeakEffect weak_effect(const DatasetOptions& options, const std::vector<ListEntry>& entries) {
  std::unique_ptr<const LabelColors> colors;
  if (!options.label_colors.empty()) {
    colors = std::make_unique<LabelColors>(options.label_colors, options.ignore_label);
  }
  WeakEffect effect;
  std::mutex mutex;
  parallel_for(static_cast<int64_t>(entries.size()), [&](int64_t index) {
    if (pending_signal() != 0) return;
    LabelMap mask;
    try {
      mask = mapped_labels(entries[static_cast<size_t>(index)], options, colors.get());
    } catch (const Refusal&) {
      return;  // The report names it already.
    }
    const bool weak = is_weak(options.weak, index);
    const LabelMap labels = weak ? weakened(mask, options.weak, options.ignore_label) : LabelMap();
    const std::lock_guard lock(mutex);
    ++effect.pictures;
    effect.weak_pictures += weak;
    for (size_t i = 0; i < labels.index.size(); ++i) {
      if (mask.index[i] == options.ignore_label) continue;
      ++effect.pixels;
      const bool ignored = labels.index[i] == options.ignore_label;
      effect.ignored += ignored;
      effect.other_class += !ignored && labels.index[i] != mask.index[i];
    }
  });
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
