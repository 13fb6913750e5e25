// The networks of Caffe that giza has, made from the blobs of their layers (docs/weights.md).
#pragma once

#include <string>

#include "models/weights/weight_file.h"

namespace giza::models {

/// True if the tensors are blobs (caffemodel.h) of layers as the authors' PSPNets call theirs, or as He et al.'s
/// ResNets.
bool has_caffe_names(const WeightFile& file);

/// The tensors under semseg's names, with semseg's meaning: the first convolution takes RGB instead of BGR, the head's
/// the maps of the pyramid from coarse to fine instead of from fine to coarse; of batch norms, "BN" layers (slope,
/// bias, mean, variance) and pairs of "BatchNorm" (mean, variance, factor) and "Scale" alike. Layers of other names
/// keep them, for load_state_dict to refuse. metadata[kNormalizationKey] (infer.h) tells what the pictures become.
/// Throws Refusal "PLACE: layer NAME: ..." for blobs that do not fit a layer's part.
WeightFile semseg_from_caffe(WeightFile file, const std::string& place);

}  // namespace giza::models
