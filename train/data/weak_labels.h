// Label maps made coarser, as if people had drawn boxes around the things: how much of a mask does training need?
//
// BoxSup (Dai et al. 2015) and Simple Does It (Khoreva et al. 2017) train on boxes in place of masks. Here the boxes come
// from masks that are there, so that both can be compared on one data set: docs/weak-labels.md.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "train/data/image/image.h"

namespace giza::train {

struct WeakLabels {
  enum class Kind {
    full,   ///< the masks themselves
    box,    ///< a thing's class in its whole box
    band,   ///< the same, and a band of a tenth of each side along the box's edges is ignored
    inner,  ///< the class in a fifth of the box's area, around its middle; the rest of the box is ignored
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

/// The boxes around the connected components (neighbours in all eight directions) of the things' classes, in the order in
/// which reading the picture meets them.
std::vector<LabelBox> thing_boxes(const LabelMap& labels, const std::array<bool, 256>& is_thing);

/// True for a picture that is weakened: of any two fractions, the larger one has all pictures of the smaller.
bool is_weak(const WeakLabels& weak, int64_t index);

/// The label map as boxes make it. Inside a box stands its class, or `ignore_label` as the kind says; where boxes overlap,
/// the smaller one counts, and of two equal ones the later. What was ignored stays ignored.
LabelMap weakened(const LabelMap& labels, const WeakLabels& weak, int ignore_label);

}  // namespace giza::train
