// Label maps made coarser, as if people had drawn boxes around the things: how much of a mask does training need?
//
// BoxSup (Dai et al. 2015) and Simple Does It (Khoreva et al. 2017) train on boxes in place of masks. Here the boxes
// come from masks that are there, so that both can be compared on one data set: docs/weak-labels.md.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "train/data/image/image.h"

namespace giza::train {

struct WeakLabels {
  enum class Kind {
    full,    ///< the masks themselves
    box,     ///< a thing's class in its whole box
    band,    ///< the same, and a band of a tenth of each side along the box's edges is ignored
    inner,   ///< the class in a fifth of the box's area, around its middle; the rest of the box is ignored
    crf,     ///< box, refined by the CRF: train/eval/refined_boxes.h
    update,  ///< box, until a network has learned from it: updated_boxes
  };
  Kind kind = Kind::full;
  std::array<bool, 256> is_thing{};  ///< by class: these get boxes, the others keep their labels
  double fraction = 1;               ///< of the pictures that are weakened; the others keep their masks
  uint64_t seed = 0;                 ///< decides which, together with the picture's index

  bool operator==(const WeakLabels&) const = default;
};

/// A rectangle of pixels, its right and lower edges excluded.
struct LabelBox {
  uint8_t label = 0;
  int left = 0, top = 0, right = 0, bottom = 0;

  int64_t area() const { return int64_t{right - left} * (bottom - top); }
  bool operator==(const LabelBox&) const = default;
};

/// The boxes around the connected components (neighbours in all eight directions) of the things' classes, in the order
/// in which reading the picture meets them.
std::vector<LabelBox> thing_boxes(const LabelMap& labels, const std::array<bool, 256>& is_thing);

/// True for a picture that is weakened: of any two fractions, the larger one has all pictures of the smaller.
bool is_weak(const WeakLabels& weak, int64_t index);

/// The label map as boxes make it. Inside a box stands its class, or `ignore_label` as the kind says; where boxes
/// overlap, the smaller one counts, and of two equal ones the later. What was ignored stays ignored. Of the kinds crf
/// and update the boxes that they begin with.
LabelMap weakened(const LabelMap& labels, const WeakLabels& weak, int ignore_label);

/// The boxes of a label map in the order in which they are painted, the smallest last. What is ignored is in none.
std::vector<LabelBox> painted_boxes(const LabelMap& labels, const WeakLabels& weak, int ignore_label);

/// The least part of a box that a prediction must cover to take its place (Khoreva et al. 2017, section 3.1).
constexpr double kLeastCover = 0.5;

/// Label maps of one round, and how many boxes have become predictions.
struct UpdatedBoxes {
  LabelMap labels;
  int64_t boxes = 0, predicted = 0;
};
/// The label map that the next round of training learns from. A box of which the prediction gives its class to at least
/// kLeastCover keeps the prediction: the class where it was predicted, a class without boxes (stuff) where that was,
/// and a thing that was seen beyond its own boxes is ignored. Any other box is filled with its class as before. Boxes
/// overlap as in weakened(). Outside of them the labels stay, and so does what was ignored, which is no part of a box's
/// area. `labels` are the masks, of the prediction's size.
UpdatedBoxes updated_boxes(const LabelMap& labels, const LabelMap& prediction, const WeakLabels& weak,
                           int ignore_label);

}  // namespace giza::train
