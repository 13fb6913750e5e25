// Files of weights of Caffe (.caffemodel): the layers' blobs as named tensors (docs/weights.md).
#pragma once

#include <string>
#include <string_view>

#include "models/weights/weight_file.h"
#include "tensor/base/file.h"

namespace giza::models {

/// True if a file that begins so (some hundred bytes) is a network of Caffe with layers, as its tools save one.
bool is_caffemodel(std::string_view head);

/// The blobs of every layer, in the order of the file, as tensors "LAYER.blobs.0", "LAYER.blobs.1", ... of Caffe's own
/// shapes: weights [K,C,R,S]. Layers of both formats are read (`layer`, and `layers` from before 2015), numbers packed
/// or not, floats or doubles, shapes as lists or as num, channels, height, width. The file may be hostile: it is walked
/// without recursion, sizes are compared with its bytes before anything is allocated, and what is held is never more
/// than the file's numbers. Throws Refusal "FILE: byte N: ..." or "FILE: layer NAME: ...".
WeightFile read_caffemodel(const InputFile& file);

/// How the name of such a tensor goes on behind the layer's.
inline constexpr std::string_view kBlobs = ".blobs.";

}  // namespace giza::models
