// From configuration to the parts of a run.
#pragma once

#include <optional>

#include "models/scene_parser.h"
#include "tensor/base/check.h"
#include "train/config/config.h"
#include "train/config/protocol.h"
#include "train/data/dataset.h"
#include "train/data/transforms.h"
#include "train/optim/lr_schedule.h"

namespace giza::train {

/// Where the key of section TRAIN that a message names was given, as config_place() tells it; the file where it names
/// none that was.
std::string place_of_message(const Config& config, const std::string& message);

/// Runs a part that fails with ShapeError where the configuration's sizes do not fit together, which is then a Refusal.
template <class Body>
auto refusing(const Config& config, Body&& body) {
  try {
    return body();
  } catch (const ShapeError& error) {
    throw Refusal(fmt::format("{}: {}", place_of_message(config, error.what()), error.what()));
  }
}

/// Sections DATA and TRAIN -> the network. Throws Refusal for what no network fits.
models::NetworkOptions model_options(const Config& config);
/// "PSPNet on ResNet50", "FCN-8s on VGG16", "SegNet".
std::string network_title(const Config& config);
/// All parameters of the network as the configuration trains them.
std::vector<layers::ParameterGroup> parameter_groups(const Config& config, const models::SceneParser& model);
/// How the labels of training are weakened. Throws Refusal naming DATA.thing_classes where it names no class.
WeakLabels weak_labels(const Config& config);

/// True if the configuration says where the pictures of a part are: a list, or DATA.dataset.
bool has_pictures(const Config& config, Split split);
/// Section DATA -> the options of a part of the data: DATA.train_list, DATA.val_list or, for Split::test,
/// TEST.test_list; without that list the folders of DATA.dataset, for Split::test those of TEST.split. Keeps
/// TRAIN.cache_mb in memory. Throws Refusal if neither is given.
DatasetOptions dataset_options(const Config& config, Split split);
/// The same with a list file of its own.
DatasetOptions dataset_options(const Config& config, const std::string& list);
/// The files that are read for a data set: `others`, its list, pictures and labels, and those of names and colours.
std::vector<std::string> input_files(std::vector<std::string> others, const Config& config,
                                     const DatasetOptions& options, const std::vector<ListEntry>& entries);
/// DATA.mean and DATA.std; where one is left to the weights, what they tell (card.h), else ImageNet's.
Normalization normalization_of(const Config& config, const std::optional<Normalization>& told = {});
/// Section TRAIN -> the learning rate of a training of so many iterations.
LrSchedule lr_schedule(const Config& config, int64_t iterations);
/// Size of the largest training sample: the crop, or what TRAIN.epoch_sizes make of it.
PictureSize largest_sample(const TrainConfig& train);
/// Section TRAIN -> the augmentation.
TransformOptions train_transforms(const Config& config);
/// Section TEST -> the full test protocol. `told`: by the weights under test.
ProtocolOptions test_protocol(const Config& config, const std::optional<Normalization>& told = {});
/// The protocol of validation during training: the test protocol at scale 1, without mirrored tiles and without the
/// CRF.
ProtocolOptions validation_protocol(const Config& config);
/// How a network in training makes labels (DATA.weak_labels box_update): at the picture's own size, in tiles of the
/// training crop, not mirrored. It depends on keys of training alone, so that the test can be changed without other
/// weights.
ProtocolOptions label_protocol(const Config& config);
/// The data set whose names and colours are used in place of a file: DATA.dataset where no file is given, or the one
/// whose file of semseg is given and is not there. nullptr if the file is to be read, or the number of classes differs.
const KnownDataset* built_in_classes(const Config& config, const std::string& path);
/// What built_in_classes replaced, a line for each file that is not there.
std::vector<std::string> built_in_notes(const Config& config);
/// Class names from the configuration's file or built in; empty where there are none. Throws Refusal if their number is
/// wrong.
std::vector<std::string> class_names(const Config& config);
/// Colours likewise.
std::vector<Color> class_colors(const Config& config);
/// Those that masks are drawn in: class_colors, or where there are none, voc_color of each class.
std::vector<Color> mask_colors(const Config& config);
/// Weights of the classes in the loss, [classes], or an undefined Tensor for none. `balanced` reads the labels of the
/// data set: median frequency balancing (Eigen & Fergus, ICCV 2015), w = median(frequency) / frequency, where a class's
/// frequency is its pixels over the pixels of the pictures that have it, or for classes of whole pictures their share;
/// 1 for classes that no picture has.
Tensor class_weights(const Config& config, const Dataset& dataset);

}  // namespace giza::train
