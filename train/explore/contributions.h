// What each bin of the pyramid has added to a score, exactly: docs/explore.md has the derivation.
#pragma once

#include <cstdint>
#include <vector>

#include "train/explore/switched_network.h"

namespace giza::train {

/// The scores of a PSPNet's head as sums: one map [N,h,w,classes] for the backbone's features, one for each bin, and
/// the last for the constants (the shift of the batch norm and the bias). At each place of the map and for each class
/// they add up to the logit, up to rounding: the hidden units that a ReLU has silenced add nothing, and the active ones
/// are linear in what the head reads. Which units are active depends on all parts together, so a part's share holds for
/// this input of the head alone.
std::vector<Tensor> contributions(const models::Pspnet& network, const SwitchedNetwork::HeadInput& input);

/// Where a pixel of the enlarged map takes its value from: the places of the small one, row-major, and their weights,
/// at most four.
struct MapWeight {
  int64_t row;
  double weight;
};
/// For pixel (x, y) of `height` x `width`, of which an [N,h,w,..] map is enlarged bilinearly.
std::vector<MapWeight> weights_at(int x, int y, int height, int width, int64_t h, int64_t w, bool align_corners);
/// The value of channel c of a [1,h,w,C] map at that pixel.
double value_at(const Tensor& map, const std::vector<MapWeight>& weights, int64_t c);

}  // namespace giza::train
