// The names of other libraries, by the tables of prefixes in detail/naming_tables.h.
#include "models/weights/naming.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "models/scene_parser.h"
#include "models/weights/caffe/pspnet.h"
#include "models/weights/detail/naming_tables.h"
#include "models/weights/infer.h"
#include "models/weights/input_blocks.h"
#include "models/weights/names.h"
#include "models/weights/shapes.h"
#include "models/weights/surroundings.h"
#include "tensor/base/check.h"
#include "tensor/base/text.h"

namespace giza::models {
namespace {

constexpr auto kNames =
    std::to_array<std::pair<Naming, const char*>>({{Naming::semseg, "semseg"},
                                                   {Naming::torchvision, "torchvision"},
                                                   {Naming::torchvision_segmentation, "torchvision_segmentation"},
                                                   {Naming::mmseg, "mmseg"},
                                                   {Naming::torchvision_vgg16, "torchvision_vgg16"},
                                                   {Naming::deeplab, "deeplab"},
                                                   {Naming::imagenet, "imagenet"},
                                                   {Naming::caffe, "caffe"},
                                                   {Naming::timm, "timm"}});

using Table = std::vector<NamingRow>;

template <class... Parts>
Table join(const Parts&... parts) {
  Table table;
  (table.insert(table.end(), parts.begin(), parts.end()), ...);
  return table;
}

/// `name` with the path `from` replaced by `to`; nullopt where it does not lie below `from`.
std::optional<std::string> replace_path(std::string_view name, std::string_view from, std::string_view to) {
  std::vector<int64_t> numbers;  // as '#' has them
  size_t at = 0;
  for (const char sign : from) {
    if (sign == '#' || sign == '^') {
      int64_t number = 0;
      const char* begin = name.data() + at;
      const auto [end, error] = std::from_chars(begin, name.data() + name.size(), number);
      const int64_t less = sign == '^' ? 1 : 0;
      if (error != std::errc() || number < less) return std::nullopt;
      numbers.push_back(number - less);
      at += static_cast<size_t>(end - begin);
    } else if (at < name.size() && name[at] == sign) {
      ++at;
    } else {
      return std::nullopt;
    }
  }
  if (at < name.size() && name[at] != '.') return std::nullopt;
  std::string result;
  size_t next = 0;
  for (const char sign : to) {
    if (sign == '#' || sign == '^') {
      result += std::to_string(numbers[next++] + (sign == '^' ? 1 : 0));
    } else {
      result += sign;
    }
  }
  return result.append(name.substr(at));
}

/// Of torchvision's VGGs 16 has its 13th and last convolution at features.28, and no batch norm.
bool is_vgg16(const WeightFile& file) {
  const auto convolution = [&](const char* name) {
    const WeightTensor* weight = file.find(name);
    return weight != nullptr && weight->shape.size() == 4;
  };
  return convolution("features.0.weight") && convolution("features.28.weight") && !convolution("features.30.weight") &&
         file.find("features.1.running_mean") == nullptr;
}

/// That the head's first convolution sees layer4's map, as it does in their networks without a pyramid.
void check_sees_trunk(const WeightFile& file, const char* head, Naming naming, const std::string& place) {
  const TensorShapes shapes(file);
  const int64_t seen = shapes.inputs(head),
                all = shapes.channels({shapes.bottlenecks() ? "layer4.0.bn3" : "layer4.0.bn2"});
  check<Refusal>(seen == 0 || all == 0 || seen == all,
                 "{}: {} sees {} channels, the trunk has {}: {} has no such network; expected the naming semseg", place,
                 head, seen, all, to_string(naming));
}

std::optional<std::string> to_semseg(std::string_view name, const Table& table) {
  for (const NamingRow& row : table) {
    if (auto mapped = replace_path(name, row.theirs, row.semseg)) return mapped;
  }
  return std::nullopt;
}

std::optional<std::string> from_semseg(std::string_view name, const Table& table) {
  for (const NamingRow& row : table) {
    if (auto mapped = replace_path(name, row.semseg, row.theirs)) return mapped;
  }
  return std::nullopt;
}

bool has_prefix(const WeightFile& file, std::string_view prefix) {
  return std::any_of(file.tensors.begin(), file.tensors.end(),
                     [&](const WeightTensor& tensor) { return tensor.name.starts_with(prefix); });
}

/// Its names in a file of `naming`, which is told for the heads that the same names mean different things in.
Table reading_table(Naming naming, const WeightFile& file) {
  switch (naming) {
    case Naming::torchvision:
      return join(kTorchvision);
    case Naming::torchvision_segmentation:
      return has_prefix(file, "classifier.0.convs.") ? join(kTorchvisionSegmentation, kTorchvisionDeeplab)
                                                     : join(kTorchvisionSegmentation, kTorchvisionFcn);
    case Naming::torchvision_vgg16:
      return join(kTorchvisionVgg);
    case Naming::deeplab:
      return join(kDeeplab);
    case Naming::imagenet:
      return join(kImagenet);
    case Naming::mmseg:
      return join(has_prefix(file, "decode_head.image_pool.") ? join(kMmsegAspp) : Table(), kMmseg, kMmsegPlainStem,
                  has_prefix(file, "decode_head.conv_cat.") ? join(kMmsegFcn) : join(kMmsegNoPyramid), kMmsegBackbone);
    case Naming::timm:
      return join(kTimm);
    case Naming::caffe:  // not by a table
    case Naming::semseg:
      break;
  }
  return {};
}

// mmsegmentation concatenates the mean of the whole map before the convolutions, giza and torchvision behind them.
constexpr std::array<int, 5> kFromMmsegAspp = {1, 2, 3, 4, 0}, kToMmsegAspp = {4, 0, 1, 2, 3};

/// Of the pyramid of DeepLabv3 under semseg's names, reorders what the head sees.
void reorder_aspp(WeightFile* file, std::span<const int> order) {
  const WeightTensor* pool = file->find("classifier.0.convs.4.1.weight");
  if (pool == nullptr || pool->shape.empty()) return;
  for (WeightTensor& tensor : file->tensors) {
    if (tensor.name == "classifier.1.weight") reorder_input_blocks(&tensor, pool->shape[0], order);
  }
}

/// Fully connected layers [K, C 7 7] and [K,C] as the convolutions [K,C,7,7] and [K,C,1,1] that compute the same at a
/// pixel.
void make_convolutional(WeightFile* file) {
  for (WeightTensor& tensor : file->tensors) {
    const int64_t side = tensor.name == "fc6.weight" ? 7 : tensor.name == "fc7.weight" ? 1 : 0;
    if (side == 0 || tensor.shape.size() != 2 || tensor.shape[1] % (side * side) != 0) continue;
    tensor.shape = {tensor.shape[0], tensor.shape[1] / (side * side), side, side};
  }
}

/// The first convolution of kazuto1011's networks takes BGR, giza's RGB.
void exchange_inputs(WeightFile* file) {
  for (WeightTensor& tensor : file->tensors) {
    if (tensor.name == "layer0.0.weight") exchange_red_and_blue(&tensor);
  }
}

void take_rgb(WeightFile* file) {
  exchange_inputs(file);
  // What giza wrote under these names tells itself what pictures it takes.
  if (file->metadata.contains(kModelKey) || file->metadata.contains(kOriginKey)) return;
  tell_of_rgb(file, "a network of kazuto1011's DeepLab", kDeeplabMean);
}

void take_bgr(WeightFile* file) {
  exchange_inputs(file);
  const auto ours = file->metadata.find(kNormalizationKey);
  const bool same = ours != file->metadata.end() && ours->second == less_the_mean(kDeeplabMean);
  file->notes.push_back(fmt::format(
      "changed to take BGR, as kazuto1011's programs give it{}",
      same ? "" : fmt::format("; they take away their own mean, ({}) of RGB, and divide by nothing", kDeeplabMean)));
}

/// The classifier of a ResNet alone takes the mean of its features; that of giza's spatial pyramid takes more.
void check_takes_mean(const WeightFile& file, const std::string& place) {
  const WeightTensor* fc = file.find("fc.weight");
  const WeightTensor* last = file.find("layer4.0.conv3.weight");
  if (last == nullptr) last = file.find("layer4.0.conv2.weight");
  if (fc == nullptr || last == nullptr || fc->shape.size() != 2 || last->shape.empty()) return;
  check<Refusal>(fc->shape[1] == last->shape[0],
                 "{}: fc takes {} numbers, of {} channels: ResNets elsewhere have no pyramid before it; expected the "
                 "naming semseg",
                 place, fc->shape[1], last->shape[0]);
}

void check_unique(const WeightFile& file, const std::string& place) {
  std::set<std::string_view> seen;
  for (const WeightTensor& tensor : file.tensors) {
    check<Refusal>(seen.insert(tensor.name).second, "{}: two tensors are named {}", place, quotable(tensor.name));
  }
}

}  // namespace

const char* to_string(Naming naming) {
  return std::find_if(kNames.begin(), kNames.end(), [&](const auto& entry) { return entry.first == naming; })->second;
}

Naming parse_naming(const std::string& word) {
  const auto found =
      std::find_if(kNames.begin(), kNames.end(), [&](const auto& entry) { return entry.second == word; });
  check<Refusal>(found != kNames.end(),
                 "naming \"{}\" is unknown, expected semseg, torchvision, torchvision_segmentation, mmseg, deeplab, "
                 "imagenet or timm",
                 word);
  return found->first;
}

std::optional<Naming> naming_of(const WeightFile& file) {
  if (has_caffe_names(file)) return Naming::caffe;
  // Before mmsegmentation, whose backbone is called so too.
  if (has_prefix(file, "backbone.") && (has_prefix(file, "classifier.") || has_prefix(file, "aux_classifier."))) {
    return Naming::torchvision_segmentation;
  }
  if (is_vgg16(file)) return Naming::torchvision_vgg16;
  if (file.find("features.0.weight") != nullptr) return std::nullopt;  // others, whose classifier is called as a head
  if (has_prefix(file, "layer1.conv1.conv.")) return Naming::deeplab;
  for (const char* theirs : {"backbone.", "decode_head.", "auxiliary_head.", "stem."}) {
    if (has_prefix(file, theirs)) return Naming::mmseg;
  }
  const bool heads = std::any_of(file.tensors.begin(), file.tensors.end(), [](const WeightTensor& tensor) {
    // A ResNet of anybody may have its classifier.
    return is_new_layer(tensor.name) && !is_classifier(tensor.name);
  });
  if (heads || has_prefix(file, "layer0.")) return Naming::semseg;
  if (has_prefix(file, "conv1.0.")) return Naming::timm;
  if (file.find("conv1.weight") != nullptr) {
    return file.find("conv3.weight") != nullptr ? Naming::imagenet : Naming::torchvision;
  }
  return has_prefix(file, "layer1.") ? std::optional(Naming::semseg) : std::nullopt;
}

Naming original_naming(const WeightFile& file) {
  const auto found = file.metadata.find(kNamingKey);
  return found == file.metadata.end() ? Naming::semseg : parse_naming(found->second);
}

Naming origin_of(const WeightFile& file) {
  const auto told = file.metadata.find(kOriginKey);
  const auto known = std::find_if(kNames.begin(), kNames.end(), [&](const auto& entry) {
    return told != file.metadata.end() && entry.second == told->second;
  });
  return known == kNames.end() ? original_naming(file) : known->first;
}

WeightFile to_semseg_names(WeightFile file, const std::string& place) {
  if (has_caffe_names(file)) {
    file = semseg_from_caffe(std::move(file), place);
    file.metadata[kNamingKey] = to_string(Naming::caffe);
    leave_out(&file, "a classifier of whole pictures",
              [](const WeightTensor& tensor) { return is_classifier(tensor.name); });
    check_unique(file, place);
    return file;
  }
  take_off_surroundings(&file, place);
  check<Refusal>(!file.tensors.empty(), "{}: the file holds no tensors of a network, expected weights", place);
  const std::optional<Naming> naming = naming_of(file);
  check<Refusal>(naming.has_value() || file.find("features.0.weight") == nullptr,
                 "{}: has the names of torchvision's networks of features.*, of which giza reads vgg16 alone, without "
                 "batch norm",
                 place);
  check<Refusal>(naming.has_value(),
                 "{}: none of its {} tensors has a name of a PSPNet or ResNet of semseg, torchvision, timm or "
                 "mmsegmentation (the first: {}); expected the weights of one",
                 place, file.tensors.size(), quotable(file.tensors.front().name));
  file.metadata.erase(kNamingKey);
  if (*naming != Naming::semseg) {
    // That of a ResNet alone is its fc; below somebody's backbone it is left over from its training.
    const bool resnet = *naming == Naming::torchvision || *naming == Naming::imagenet || *naming == Naming::timm;
    leave_out(&file, "a classifier of whole pictures", [&](const WeightTensor& tensor) {
      return (is_classifier(tensor.name) && !(resnet && tensor.name.starts_with("fc."))) ||
             (*naming == Naming::torchvision_vgg16 && tensor.name.starts_with("classifier.6."));
    });
    const Table table = reading_table(*naming, file);
    for (WeightTensor& tensor : file.tensors) {
      if (auto mapped = to_semseg(tensor.name, table)) tensor.name = std::move(*mapped);
    }
    if (*naming == Naming::torchvision_vgg16) make_convolutional(&file);
    if (*naming == Naming::mmseg) reorder_aspp(&file, kFromMmsegAspp);
    if (*naming == Naming::deeplab) take_rgb(&file);
    file.metadata[kNamingKey] = to_string(*naming);
  }
  check_unique(file, place);
  return file;
}

WeightFile from_semseg_names(WeightFile file, Naming naming, const std::string& place,
                             std::vector<std::string>* dropped) {
  if (naming == Naming::torchvision || naming == Naming::imagenet || naming == Naming::timm) {
    check_takes_mean(file, place);
  }
  const bool deep = file.find("layer0.3.weight") != nullptr;
  Table table;
  switch (naming) {
    case Naming::semseg:
      file.metadata.erase(kNamingKey);
      return file;
    case Naming::torchvision:
      check<Refusal>(!deep,
                     "{}: has the deep stem of three convolutions, which torchvision's ResNets have no names for; "
                     "expected the plain stem, or the naming imagenet (the authors' ResNets) or timm",
                     place);
      table = join(kTorchvision);
      break;
    case Naming::torchvision_segmentation: {
      check<Refusal>(!deep,
                     "{}: has the deep stem of three convolutions, which torchvision's networks have no names for; "
                     "expected the plain stem, or the naming mmseg",
                     place);
      const bool aspp = has_prefix(file, "classifier.0.convs.");
      const bool theirs = has_prefix(file, "classifier.0.project.") && has_prefix(file, "classifier.0.convs.4.2.");
      check<Refusal>(
          !aspp || theirs,
          "{}: torchvision's DeepLabv3 has three rates and a projection; expected these, or the naming mmseg", place);
      if (!aspp && !has_prefix(file, "ppm.")) check_sees_trunk(file, "cls.0.weight", naming, place);
      table = join(aspp ? join(kTorchvisionDeeplab) : join(kTorchvisionFcn), kTorchvisionSegmentation);
      break;
    }
    case Naming::imagenet:
      check<Refusal>(deep, "{}: has the plain stem; expected the deep stem, or the naming torchvision", place);
      table = join(kImagenet);
      break;
    case Naming::timm:
      check<Refusal>(
          deep, "{}: has the plain stem, which timm names as torchvision does; expected the naming torchvision", place);
      table = join(kTimm);
      break;
    case Naming::deeplab:
      check<Refusal>(!deep, "{}: has the deep stem; expected the plain stem", place);
      check<Refusal>(file.find("layer1.0.conv2.weight") == nullptr || file.find("layer1.0.conv3.weight") != nullptr,
                     "{}: has blocks of two convolutions; expected bottlenecks", place);
      table = join(kDeeplab);
      take_bgr(&file);
      break;
    case Naming::torchvision_vgg16:
    case Naming::caffe:
      throw Refusal(fmt::format("{}: {}'s names are read only, expected another naming to write", place,
                                naming == Naming::caffe ? "Caffe" : "torchvision's VGG16"));
    case Naming::mmseg:
      // Of two rows for one path the first is taken.
      if (!deep) table = join(kMmsegPlainStem);
      if (has_prefix(file, "cls.convs.")) {
        table = join(table, kMmsegFcn);
      } else if (!has_prefix(file, "ppm.")) {
        check_sees_trunk(file, "cls.0.weight", naming, place);
        table = join(table, kMmsegNoPyramid);
      }
      check<Refusal>(
          !has_prefix(file, "classifier.0.convs.5."),
          "{}: more branches than the names of mmsegmentation's DeepLabv3 are known for, expected three rates", place);
      table = join(table, kMmsegAspp, kMmseg);
      reorder_aspp(&file, kToMmsegAspp);
      break;
  }
  if (naming != Naming::mmseg && naming != Naming::torchvision_segmentation && naming != Naming::deeplab) {
    std::erase_if(file.tensors, [&](const WeightTensor& tensor) {
      if (!is_new_layer(tensor.name) || from_semseg(tensor.name, table)) return false;
      if (dropped != nullptr) dropped->push_back(tensor.name);
      return true;
    });
  }
  std::vector<std::string> unknown;
  for (WeightTensor& tensor : file.tensors) {
    if (auto mapped = from_semseg(tensor.name, table)) {
      tensor.name = (naming == Naming::deeplab ? std::string(kDeeplabPrefix) : "") + *mapped;
    } else {
      unknown.push_back(tensor.name);
    }
  }
  check<Refusal>(unknown.empty(), "{}: {} tensors have no name in {}: {}; expected {}", place, unknown.size(),
                 to_string(naming), name_list(unknown),
                 std::all_of(unknown.begin(), unknown.end(), is_auxiliary)
                     ? "a network without the auxiliary head, which is of training alone (TRAIN.aux_weight 0)"
                     : "a network that has, or the naming semseg");
  check_unique(file, place);
  file.metadata.erase(kNamingKey);
  return file;
}

WeightFile read_semseg_weights(const std::string& path) { return to_semseg_names(read_weights(path), path); }

}  // namespace giza::models
