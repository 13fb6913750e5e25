// From configuration to the parts of a run.
#pragma once

#include "models/pspnet.h"
#include "train/config.h"
#include "train/data/dataset.h"
#include "train/data/transforms.h"
#include "train/evaluator.h"

namespace giza::train {

/// Sections DATA and TRAIN -> the network. Throws Refusal for what no network fits.
models::PspnetOptions model_options(const Config& config);
/// Section DATA and a list -> a data set's options. Keeps TRAIN.cache_mb in memory.
DatasetOptions dataset_options(const Config& config, const std::string& list);
/// Section TRAIN -> the augmentation.
TransformOptions train_transforms(const Config& config);
/// Section TEST -> the full test protocol.
ProtocolOptions test_protocol(const Config& config);
/// The protocol of validation during training: the test protocol at scale 1 and without mirrored tiles.
ProtocolOptions validation_protocol(const Config& config);
/// Class names from the configuration's file; empty where it names none. Throws Refusal if their number is wrong.
std::vector<std::string> class_names(const Config& config);
/// Colours likewise.
std::vector<Color> class_colors(const Config& config);
/// Weights of the classes in the loss, [classes], or an undefined Tensor for none. `balanced` reads the labels of the
/// data set: median frequency balancing (Eigen & Fergus, ICCV 2015), w = median(frequency) / frequency, where a class's
/// frequency is its pixels over the pixels of the pictures that have it; 1 for classes that no picture has.
Tensor class_weights(const Config& config, const Dataset& dataset);

}  // namespace giza::train
