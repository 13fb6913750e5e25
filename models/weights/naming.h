// The names that others give to the tensors of the same networks, mapped to semseg's and back: docs/weights.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "models/weights/weight_file.h"

namespace giza::models {

/// Whose names a file of weights uses.
enum class Naming {
  semseg,                    ///< the authors' PSPNet, and giza's own: layer0.0, ppm.features.0.1, cls.4, aux.4
  torchvision,               ///< a ResNet of torchvision: conv1, bn1 (7x7), layer1 to layer4, fc
  torchvision_segmentation,  ///< its fcn_resnet50 and deeplabv3_resnet50: backbone, classifier, aux_classifier
  torchvision_vgg16,         ///< its VGG16, trained on ImageNet: features.0 to features.28, classifier; read only
  mmseg,                     ///< mmsegmentation: backbone.stem.0 or backbone.conv1, decode_head, auxiliary_head
  imagenet,  ///< the authors' ResNets trained on ImageNet: conv1 to conv3, bn1 to bn3, layer1 to layer4, fc
  deeplab,   ///< kazuto1011's DeepLab v2: base.layer1.conv1.conv, base.layer2.block1.reduce.conv, base.aspp.c0
  caffe,     ///< the authors' .caffemodel of a PSPNet, or He et al.'s of a ResNet (caffe/pspnet.h); read only
  timm,      ///< a ResNet-C of timm (resnet50c): conv1.0, conv1.3, conv1.6, bn1; its plain ResNets are torchvision's
};
/// "semseg", "torchvision", "torchvision_segmentation", "torchvision_vgg16", "mmseg", "deeplab", "imagenet", "timm" or
/// "caffe".
const char* to_string(Naming naming);
/// Throws Refusal for another word.
Naming parse_naming(const std::string& word);

/// The __metadata__ key that says whose names a file had before they were mapped.
inline constexpr const char* kNamingKey = "giza.naming";

/// Whose names these are, without what may stand around them (surroundings.h); nullopt if nobody's.
std::optional<Naming> naming_of(const WeightFile& file);
/// Whose names a file had before to_semseg_names.
Naming original_naming(const WeightFile& file);
/// Whose network that is: as kOriginKey (infer.h) says, else of whom the names are.
Naming origin_of(const WeightFile& file);

/// The file under semseg's names, without what stands around the network (surroundings.h) and without the classifier of
/// somebody's backbone (a ResNet's own fc.* stays); notes tell what was left out. Names that nobody uses stay, for
/// load_state_dict to refuse. Unless the names were semseg's, metadata[kNamingKey] tells whose they were. A network
/// that took BGR takes RGB then, and the metadata tell its mean, unless giza wrote the file. Throws Refusal
/// "PLACE: ..." for a file in which no name is known, and where two tensors would get one name.
WeightFile to_semseg_names(WeightFile file, const std::string& place);

/// The way back from semseg's names. A ResNet's names have none for ppm.*, cls.* and aux.*, which are left out and
/// appended to `dropped`. Throws Refusal "PLACE: ..." listing all the names that are not semseg's, for the deep stem
/// under torchvision's names or the plain stem under imagenet's, and for names that are read only.
WeightFile from_semseg_names(WeightFile file, Naming naming, const std::string& place,
                             std::vector<std::string>* dropped = nullptr);

/// read_weights, under semseg's names.
WeightFile read_semseg_weights(const std::string& path);

}  // namespace giza::models
