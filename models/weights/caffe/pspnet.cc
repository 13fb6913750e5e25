// Caffe's PSPNets and ResNets. Layers' names and the order of blobs: the prototxt files and bn_layer.cpp of
// https://github.com/hszhao/PSPNet; batch_norm_layer.cpp and scale_layer.cpp of BVLC's Caffe.
#include "models/weights/caffe/pspnet.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "models/weights/caffe/caffemodel.h"
#include "models/weights/infer.h"
#include "models/weights/input_blocks.h"
#include "tensor/base/check.h"
#include "tensor/base/text.h"

namespace giza::models {
namespace {

/// A convolution, and the batch norm behind it, if there is one. '#' is a number, one less in semseg's path, as Caffe
/// counts from 1 (and its stages from 2); '%' one that stays; '@' a block of He et al.'s: a, b, c, or a, b1, b2, ...
struct Row {
  std::string_view caffe, conv, norm;
};
constexpr auto kRows = std::to_array<Row>({
    {"conv1_1_3x3_s2", "layer0.0", "layer0.1"},
    {"conv1_2_3x3", "layer0.3", "layer0.4"},
    {"conv1_3_3x3", "layer0.6", "layer0.7"},
    {"conv#_#_1x1_reduce", "layer#.#.conv1", "layer#.#.bn1"},
    {"conv#_#_3x3", "layer#.#.conv2", "layer#.#.bn2"},
    {"conv#_#_1x1_increase", "layer#.#.conv3", "layer#.#.bn3"},
    {"conv#_#_1x1_proj", "layer#.#.downsample.0", "layer#.#.downsample.1"},
    {"conv5_#", "cls.0", "cls.1"},
    {"conv6", "cls.4", ""},
    {"conv4_#", "aux.0", "aux.1"},
    {"conv6_1", "aux.4", ""},
    {"conv1", "layer0.0", "layer0.1"},
    {"res#@_branch2a", "layer#.#.conv1", "layer#.#.bn1"},
    {"res#@_branch2b", "layer#.#.conv2", "layer#.#.bn2"},
    {"res#@_branch2c", "layer#.#.conv3", "layer#.#.bn3"},
    {"res#@_branch1", "layer#.#.downsample.0", "layer#.#.downsample.1"},
    {"fc1000", "fc", ""},
    {"fc1_voc12_c%", "aspp.c#", ""},
});
// "conv5_3_pool6_conv": the pyramid's bins, and where each stands in Caffe, which concatenates 6, 3, 2, 1.
constexpr std::string_view kPoolRow = "conv5_#_pool#_conv";
constexpr std::array<int, 4> kBins = {1, 2, 3, 6}, kFromCaffe = {3, 2, 1, 0};

using Numbers = std::vector<int>;

/// The number at the front of a text of digits, taken off it; nullopt without one.
std::optional<int> take_number(std::string_view* text) {
  size_t digits = 0;
  int number = 0;
  while (digits < text->size() && digits < 4 && (*text)[digits] >= '0' && (*text)[digits] <= '9') {
    number = 10 * number + ((*text)[digits++] - '0');
  }
  text->remove_prefix(digits);
  return digits == 0 ? std::nullopt : std::optional(number);
}

/// What '#', '%' and '@' stand for in a name, counted from 0; nullopt for a name of another pattern.
std::optional<Numbers> match(std::string_view pattern, std::string_view name) {
  Numbers numbers;
  for (const char sign : pattern) {
    if (name.empty()) return std::nullopt;
    if (sign == '#' || sign == '%') {
      const int first = sign == '#' ? 1 : 0;
      const auto number = take_number(&name);
      if (!number || *number < first) return std::nullopt;
      numbers.push_back(*number - first);
    } else if (sign == '@') {
      if (name.front() < 'a' || name.front() > 'z') return std::nullopt;
      const int letter = name.front() - 'a';
      name.remove_prefix(1);
      numbers.push_back(letter == 1 ? take_number(&name).value_or(1) : letter);
    } else {
      if (name.front() != sign) return std::nullopt;
      name.remove_prefix(1);
    }
  }
  return name.empty() ? std::optional(numbers) : std::nullopt;
}

std::string fill(std::string_view path, const Numbers& numbers) {
  std::string filled;
  size_t next = 0;
  for (const char sign : path) filled += sign == '#' ? std::to_string(numbers[next++]) : std::string(1, sign);
  return filled;
}

/// Semseg's paths of a convolution and the batch norm behind it.
struct Paths {
  std::string conv, norm;
};

std::optional<Paths> paths_of(std::string_view conv_layer) {
  for (const Row& row : kRows) {
    if (const auto numbers = match(row.caffe, conv_layer))
      return Paths{fill(row.conv, *numbers), fill(row.norm, *numbers)};
  }
  if (const auto numbers = match(kPoolRow, conv_layer)) {
    const auto bin = std::find(kBins.begin(), kBins.end(), numbers->back() + 1);
    if (bin == kBins.end()) return std::nullopt;
    const std::string branch = fmt::format("ppm.features.{}", bin - kBins.begin());
    return Paths{branch + ".1", branch + ".2"};
  }
  return std::nullopt;
}

enum class Part { conv, norm, scale };

/// Which part of a convolution and its batch norm a layer is, and the convolution's name.
std::pair<Part, std::string> part_of(std::string_view layer) {
  constexpr std::pair<std::string_view, Part> kEnds[] = {
      {"/bn/scale", Part::scale}, {"/bn_scale", Part::scale}, {"/scale", Part::scale}, {"/bn", Part::norm}};
  for (const auto& [end, part] : kEnds) {
    if (layer.ends_with(end)) return {part, std::string(layer.substr(0, layer.size() - end.size()))};
  }
  constexpr std::pair<std::string_view, Part> kBegins[] = {{"bn", Part::norm}, {"scale", Part::scale}};
  for (const auto& [begin, part] : kBegins) {
    if (!layer.starts_with(begin)) continue;
    const std::string_view rest = layer.substr(begin.size());
    if (rest == "_conv1") return {part, "conv1"};
    if (!rest.empty() && rest.front() >= '2' && rest.front() <= '5') return {part, "res" + std::string(rest)};
  }
  return {Part::conv, std::string(layer)};
}

struct Layer {
  std::string name;
  Part part = Part::conv;
  std::optional<Paths> paths;  // none for a layer that no network here has
  std::vector<WeightTensor*> blobs;
};

/// The layer of a tensor "LAYER.blobs.0".
std::string_view layer_name(std::string_view tensor) { return tensor.substr(0, tensor.rfind(kBlobs)); }

Layer make_layer(std::string_view name) {
  auto [part, conv] = part_of(name);
  return {std::string(name), part, paths_of(conv), {}};
}

class Converter {
 public:
  Converter(WeightFile file, const std::string& place) : from_(std::move(file)), place_(place) {
    for (WeightTensor& tensor : from_.tensors) {
      const std::string_view name = layer_name(tensor.name);
      if (layers_.empty() || layers_.back().name != name) layers_.push_back(make_layer(name));
      layers_.back().blobs.push_back(&tensor);
    }
    for (const Layer& layer : layers_) {
      if (!layer.paths) continue;
      if (layer.part == Part::scale) scales_[layer.paths->norm] = &layer;
      if (layer.part != Part::conv) continue;
      if (layer.blobs.size() == 2 && !layer.paths->norm.empty()) biases_[layer.paths->norm] = layer.blobs[1];
      if (!match(kPoolRow, layer.name)) continue;
      ++pools_;
      const std::vector<int64_t>& shape = layer.blobs[0]->shape;
      map_channels_ = shape.empty() ? 0 : shape[0];
    }
  }

  WeightFile convert() {
    for (const Layer& layer : layers_) {
      if (!layer.paths) {
        for (WeightTensor* blob : layer.blobs) to_.tensors.push_back(std::move(*blob));
      } else if (layer.part == Part::conv) {
        add_conv(layer);
      } else if (layer.part == Part::norm) {
        add_norm(layer);
      }
    }
    check<Refusal>(pools_ == 0 || pools_ == kBins.size(), "{}: the pyramid has {} of the bins 1, 2, 3 and 6", place_,
                   pools_);
    to_.metadata = std::move(from_.metadata);
    to_.notes = std::move(from_.notes);
    return std::move(to_);
  }

 private:
  [[noreturn]] void refuse(const Layer& layer, const char* expected) const {
    throw Refusal(fmt::format("{}: layer {}: has {} blobs, expected {}", place_, quotable(layer.name),
                              layer.blobs.size(), expected));
  }

  void add(const std::string& path, const char* name, WeightTensor&& tensor) {
    tensor.name = path + name;
    to_.tensors.push_back(std::move(tensor));
  }

  /// A vector, whatever ones Caffe puts around its shape.
  void add_vector(const std::string& path, const char* name, WeightTensor&& tensor) {
    tensor.shape = {static_cast<int64_t>(tensor.data.size())};
    add(path, name, std::move(tensor));
  }

  void add_conv(const Layer& layer) {
    if (layer.blobs.empty() || layer.blobs.size() > 2) refuse(layer, "a weight, and perhaps a bias");
    const Paths& paths = *layer.paths;
    WeightTensor& weight = *layer.blobs[0];
    if (paths.conv == "layer0.0") exchange_red_and_blue(&weight);
    if (paths.conv == "cls.0" && pools_ > 0) reorder_input_blocks(&weight, map_channels_, kFromCaffe);
    if (paths.conv == "fc") std::erase(weight.shape, 1);  // 1 x 1 x K x C
    add(paths.conv, ".weight", std::move(weight));
    // That before a batch norm goes into its mean.
    if (layer.blobs.size() == 2 && paths.norm.empty()) add_vector(paths.conv, ".bias", std::move(*layer.blobs[1]));
  }

  void add_norm(const Layer& layer) {
    WeightTensor mean, variance, gain, bias;
    if (layer.blobs.size() == 4) {
      gain = std::move(*layer.blobs[0]);
      bias = std::move(*layer.blobs[1]);
      mean = std::move(*layer.blobs[2]);
      variance = std::move(*layer.blobs[3]);
    } else if (layer.blobs.size() == 3 && layer.blobs[2]->data.size() == 1) {
      const auto scale = scales_.find(layer.paths->norm);
      check<Refusal>(scale != scales_.end(), "{}: layer {}: its Scale layer is missing; is the file whole?", place_,
                     quotable(layer.name));
      if (scale->second->blobs.size() != 2) refuse(*scale->second, "a gain and a bias");
      mean = std::move(*layer.blobs[0]);
      variance = std::move(*layer.blobs[1]);
      // Sums that have faded like this factor; of none at all, Caffe makes zeros.
      const float factor = layer.blobs[2]->data[0];
      for (WeightTensor* sum : {&mean, &variance}) {
        for (float& value : sum->data) value = factor == 0 ? 0 : value / factor;
      }
      gain = std::move(*scale->second->blobs[0]);
      bias = std::move(*scale->second->blobs[1]);
    } else {
      refuse(layer, "slope, bias, mean and variance, or mean, variance and a factor beside a Scale layer");
    }
    if (const auto before = biases_.find(layer.paths->norm); before != biases_.end()) {
      // (x + b - mean): where sizes differ, loading tells.
      const std::vector<float>& shift = before->second->data;
      for (size_t i = 0; i < std::min(shift.size(), mean.data.size()); ++i) mean.data[i] -= shift[i];
    }
    const std::string& path = layer.paths->norm;
    add_vector(path, ".weight", std::move(gain));
    add_vector(path, ".bias", std::move(bias));
    add_vector(path, ".running_mean", std::move(mean));
    add_vector(path, ".running_var", std::move(variance));
    to_.tensors.push_back({path + ".num_batches_tracked", {}, DType::i64, {}, {0}});
  }

  WeightFile from_, to_;
  const std::string& place_;
  std::vector<Layer> layers_;
  std::map<std::string, const Layer*> scales_;         // by the path of their batch norm
  std::map<std::string, const WeightTensor*> biases_;  // of convolutions, by that of theirs
  size_t pools_ = 0;
  int64_t map_channels_ = 0;  // of each map of the pyramid
};

}  // namespace

bool has_caffe_names(const WeightFile& file) {
  return std::any_of(file.tensors.begin(), file.tensors.end(), [](const WeightTensor& tensor) {
    return tensor.name.find(kBlobs) != std::string::npos && make_layer(layer_name(tensor.name)).paths.has_value();
  });
}

WeightFile semseg_from_caffe(WeightFile file, const std::string& place) {
  WeightFile converted = Converter(std::move(file), place).convert();
  // Of RGB, and no deviation: evaluation/eval_sub.m of the authors' code; of DeepLab, its prototxt files.
  const bool deeplab = converted.find("aspp.c0.weight") != nullptr;
  tell_of_rgb(&converted, "a network of Caffe", deeplab ? kDeeplabMean : "123.68,116.779,103.939");
  return converted;
}

}  // namespace giza::models
