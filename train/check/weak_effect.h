// How far the labels that training sees are from the masks, where DATA.weak_labels makes them weaker.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/config/crf_options.h"
#include "train/data/dataset.h"

namespace giza::train {

/// Pixels that are ignored in the mask are not counted.
struct WeakEffect {
  int64_t pictures = 0;       ///< whose labels can be read
  int64_t weak_pictures = 0;  ///< of these, with boxes in place of masks
  int64_t pixels = 0;         ///< of the weak pictures
  int64_t other_class = 0;    ///< of `pixels`, those that a box gives another class
  int64_t ignored = 0;        ///< of `pixels`, those that a box has ignored
};

/// Counts a picture with a mask and with the weak labels in its place.
void add_effect(const LabelMap& mask, const LabelMap& labels, int ignore_label, WeakEffect* effect);

/// Of the labels that a training begins with. Reads the label files of all entries once more, on num_threads() threads,
/// and for box_crf the pictures, too; those that cannot be read are left out.
WeakEffect weak_effect(const DatasetOptions& options, const std::vector<ListEntry>& entries, const CrfOptions& crf);

/// One sentence for people.
std::string weak_effect_text(const WeakEffect& effect);

}  // namespace giza::train
