// The names of three other libraries, as a table of prefixes.
#include "models/weights/naming.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <utility>

#include "models/scene_parser.h"
#include "models/weights/caffe/pspnet.h"
#include "models/weights/names.h"
#include "models/weights/surroundings.h"
#include "tensor/base/check.h"
#include "tensor/base/text.h"

namespace giza::models {
namespace {

constexpr auto kNames = std::to_array<std::pair<Naming, const char*>>({{Naming::semseg, "semseg"},
                                                                       {Naming::torchvision, "torchvision"},
                                                                       {Naming::mmseg, "mmseg"},
                                                                       {Naming::imagenet, "imagenet"},
                                                                       {Naming::caffe, "caffe"},
                                                                       {Naming::timm, "timm"}});

/// A module's path in both namings; a path stands for everything below it. '#' stands for any number, the same in both.
struct Row {
  std::string_view semseg, theirs;
};

// The first row that fits decides, so of two rows for one path the usual one stands first.
constexpr auto kTorchvision = std::to_array<Row>({{"layer0.0", "conv1"},
                                                  {"layer0.1", "bn1"},
                                                  {"layer1", "layer1"},
                                                  {"layer2", "layer2"},
                                                  {"layer3", "layer3"},
                                                  {"layer4", "layer4"},
                                                  {"fc", "fc"}});
constexpr auto kImagenet = std::to_array<Row>({{"layer0.0", "conv1"},
                                               {"layer0.1", "bn1"},
                                               {"layer0.3", "conv2"},
                                               {"layer0.4", "bn2"},
                                               {"layer0.6", "conv3"},
                                               {"layer0.7", "bn3"},
                                               {"layer1", "layer1"},
                                               {"layer2", "layer2"},
                                               {"layer3", "layer3"},
                                               {"layer4", "layer4"},
                                               {"fc", "fc"}});
constexpr auto kTimm = std::to_array<Row>({{"layer0.0", "conv1.0"},
                                           {"layer0.1", "conv1.1"},
                                           {"layer0.3", "conv1.3"},
                                           {"layer0.4", "conv1.4"},
                                           {"layer0.6", "conv1.6"},
                                           {"layer0.7", "bn1"},
                                           {"layer1", "layer1"},
                                           {"layer2", "layer2"},
                                           {"layer3", "layer3"},
                                           {"layer4", "layer4"},
                                           {"fc", "fc"}});
constexpr auto kMmseg = std::to_array<Row>({{"layer0.#", "backbone.stem.#"},
                                            {"layer1", "backbone.layer1"},
                                            {"layer2", "backbone.layer2"},
                                            {"layer3", "backbone.layer3"},
                                            {"layer4", "backbone.layer4"},
                                            {"ppm.features.#.1", "decode_head.psp_modules.#.1.conv"},
                                            {"ppm.features.#.2", "decode_head.psp_modules.#.1.bn"},
                                            {"cls.0", "decode_head.bottleneck.conv"},
                                            {"cls.1", "decode_head.bottleneck.bn"},
                                            {"cls.4", "decode_head.conv_seg"},
                                            {"aux.0", "auxiliary_head.convs.0.conv"},
                                            {"aux.1", "auxiliary_head.convs.0.bn"},
                                            {"aux.4", "auxiliary_head.conv_seg"}});
// The plain stem (its ResNet instead of ResNetV1c), and a head without pyramid (its FCNHead).
constexpr auto kMmsegPlainStem = std::to_array<Row>({{"layer0.0", "backbone.conv1"}, {"layer0.1", "backbone.bn1"}});
constexpr auto kMmsegNoPyramid =
    std::to_array<Row>({{"cls.0", "decode_head.convs.0.conv"}, {"cls.1", "decode_head.convs.0.bn"}});

// Its ResNetV1c alone, as files of that backbone have it.
constexpr auto kMmsegBackbone = std::to_array<Row>(
    {{"layer0.#", "stem.#"}, {"layer1", "layer1"}, {"layer2", "layer2"}, {"layer3", "layer3"}, {"layer4", "layer4"}});

using Table = std::vector<Row>;

template <class... Parts>
Table join(const Parts&... parts) {
  Table table;
  (table.insert(table.end(), parts.begin(), parts.end()), ...);
  return table;
}

/// `name` with the path `from` replaced by `to`; nullopt where it does not lie below `from`.
std::optional<std::string> replace_path(std::string_view name, std::string_view from, std::string_view to) {
  std::string number;
  size_t at = 0;
  for (const char letter : from) {
    if (letter == '#') {
      const size_t begin = at;
      while (at < name.size() && name[at] >= '0' && name[at] <= '9') ++at;
      if (at == begin) return std::nullopt;
      number = name.substr(begin, at - begin);
    } else if (at < name.size() && name[at] == letter) {
      ++at;
    } else {
      return std::nullopt;
    }
  }
  if (at < name.size() && name[at] != '.') return std::nullopt;
  std::string result;
  for (const char letter : to) result += letter == '#' ? number : std::string(1, letter);
  return result.append(name.substr(at));
}

std::optional<std::string> to_semseg(std::string_view name, const Table& table) {
  for (const Row& row : table) {
    if (auto mapped = replace_path(name, row.theirs, row.semseg)) return mapped;
  }
  return std::nullopt;
}

std::optional<std::string> from_semseg(std::string_view name, const Table& table) {
  for (const Row& row : table) {
    if (auto mapped = replace_path(name, row.semseg, row.theirs)) return mapped;
  }
  return std::nullopt;
}

Table reading_table(Naming naming) {
  switch (naming) {
    case Naming::torchvision:
      return join(kTorchvision);
    case Naming::imagenet:
      return join(kImagenet);
    case Naming::mmseg:
      return join(kMmseg, kMmsegPlainStem, kMmsegNoPyramid, kMmsegBackbone);
    case Naming::timm:
      return join(kTimm);
    case Naming::caffe:  // not by a table
    case Naming::semseg:
      break;
  }
  return {};
}

bool has_prefix(const WeightFile& file, std::string_view prefix) {
  return std::any_of(file.tensors.begin(), file.tensors.end(),
                     [&](const WeightTensor& tensor) { return tensor.name.starts_with(prefix); });
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
                 "naming \"{}\" is unknown, expected semseg, torchvision, mmseg, imagenet or timm", word);
  return found->first;
}

std::optional<Naming> naming_of(const WeightFile& file) {
  if (has_caffe_names(file)) return Naming::caffe;
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

WeightFile to_semseg_names(WeightFile file, const std::string& place) {
  if (has_caffe_names(file)) {
    file = semseg_from_caffe(std::move(file), place);
    file.metadata[kNamingKey] = to_string(Naming::caffe);
    leave_out(&file, "a classifier of whole pictures",
              [](const WeightTensor& tensor) { return is_classifier(tensor.name); });
    check_unique(file, place);
    return file;
  }
  take_off_surroundings(&file);
  check<Refusal>(!file.tensors.empty(), "{}: the file holds no tensors of a network, expected weights", place);
  const std::optional<Naming> naming = naming_of(file);
  check<Refusal>(naming.has_value(),
                 "{}: none of its {} tensors has a name of a PSPNet or ResNet of semseg, torchvision, timm or "
                 "mmsegmentation (the first: {}); expected the weights of one",
                 place, file.tensors.size(), quotable(file.tensors.front().name));
  file.metadata.erase(kNamingKey);
  if (*naming != Naming::semseg) {
    // That of a ResNet alone is its fc; below somebody's backbone it is left over from its training.
    const bool resnet = *naming != Naming::mmseg;
    leave_out(&file, "a classifier of whole pictures", [&](const WeightTensor& tensor) {
      return is_classifier(tensor.name) && !(resnet && tensor.name.starts_with("fc."));
    });
    const Table table = reading_table(*naming);
    for (WeightTensor& tensor : file.tensors) {
      if (auto mapped = to_semseg(tensor.name, table)) tensor.name = std::move(*mapped);
    }
    file.metadata[kNamingKey] = to_string(*naming);
  }
  check_unique(file, place);
  return file;
}

WeightFile from_semseg_names(WeightFile file, Naming naming, const std::string& place,
                             std::vector<std::string>* dropped) {
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
    case Naming::imagenet:
      check<Refusal>(deep, "{}: has the plain stem; expected the deep stem, or the naming torchvision", place);
      table = join(kImagenet);
      break;
    case Naming::timm:
      check<Refusal>(
          deep, "{}: has the plain stem, which timm names as torchvision does; expected the naming torchvision", place);
      table = join(kTimm);
      break;
    case Naming::caffe:
      throw Refusal(fmt::format("{}: Caffe's names are read only, expected another naming to write", place));
    case Naming::mmseg:
      // Of two rows for one path the first is taken.
      if (!deep) table = join(kMmsegPlainStem);
      if (!has_prefix(file, "ppm.")) table = join(table, kMmsegNoPyramid);
      table = join(table, kMmseg);
      break;
  }
  if (naming != Naming::mmseg) {
    std::erase_if(file.tensors, [&](const WeightTensor& tensor) {
      if (!is_new_layer(tensor.name) || from_semseg(tensor.name, table)) return false;
      if (dropped != nullptr) dropped->push_back(tensor.name);
      return true;
    });
  }
  std::vector<std::string> unknown;
  for (WeightTensor& tensor : file.tensors) {
    if (auto mapped = from_semseg(tensor.name, table)) {
      tensor.name = std::move(*mapped);
    } else {
      unknown.push_back(tensor.name);
    }
  }
  check<Refusal>(unknown.empty(), "{}: {} tensors have no name in {}: {}; expected the names of a PSPNet", place,
                 unknown.size(), to_string(naming), name_list(unknown));
  check_unique(file, place);
  file.metadata.erase(kNamingKey);
  return file;
}

WeightFile read_semseg_weights(const std::string& path) { return to_semseg_names(read_weights(path), path); }

}  // namespace giza::models
