// What stands around a network in a file of weights.
#include "models/weights/surroundings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "models/scene_parser.h"
#include "models/weights/names.h"
#include "models/weights/state_dict.h"
#include "tensor/base/check.h"
#include "tensor/base/text.h"

namespace giza::models {
namespace {

/// True for conv1_1. to conv5_3. of VGG16, and SegNet's batch norms behind them: conv1_1_bn.
bool is_vgg16_layer(std::string_view name) {
  if (!name.starts_with("conv") || name.size() < 8 || name[5] != '_') return false;
  const auto digit = [](char letter) { return letter >= '1' && letter <= '5'; };
  const std::string_view rest = name.substr(7);
  return digit(name[4]) && digit(name[6]) && (rest.starts_with(".") || rest.starts_with("_bn."));
}

/// True for conv1. to conv4. of SegNet-Basic, and its batch norms behind them: conv1_bn.
bool is_segnet_basic_layer(std::string_view name) {
  if (!name.starts_with("conv") || name.size() < 6 || name[4] < '1' || name[4] > '4') return false;
  return name[5] == '.' || name.substr(5).starts_with("_bn.");
}

/// What the names of a network's tensors begin with, in any of the namings (naming.cc); of backbones a block or a stem.
bool begins_network(std::string_view name) {
  constexpr std::string_view kBackbone = "backbone.";
  // Behind "backbone." too, and not behind what else may begin so: "backbone.body." is somebody's prefix.
  if (name.starts_with(kBackbone)) name.remove_prefix(kBackbone.size());
  constexpr std::array<std::string_view, 14> kBegins = {
      "layer0.", "layer1.", "layer2.", "layer3.",      "layer4.",         "layer5.",         "stem.",
      "bn1.",    "bn2.",    "bn3.",    "decode_head.", "auxiliary_head.", "aux_classifier.", "features."};
  return is_new_layer(name) || is_vgg16_layer(name) || is_segnet_basic_layer(name) ||
         std::any_of(kBegins.begin(), kBegins.end(), [&](std::string_view begin) { return name.starts_with(begin); });
}

/// How much of a name stands before the network's part; npos where no part looks like it.
size_t prefix_length(std::string_view name) {
  for (size_t at = 0; at < name.size();) {
    if (begins_network(name.substr(at))) return at;
    const size_t dot = name.find('.', at);
    if (dot == std::string_view::npos) break;
    at = dot + 1;
  }
  return std::string_view::npos;
}

/// A wrapper may be called as a head is ("classifier.layer1.0.conv1.weight"): what stands before all names, and before
/// those of stages of a trunk, is no head. "backbone." apart, which mmsegmentation has.
std::string wrapper_called_as_a_head(const WeightFile& file) {
  std::string prefix;
  while (true) {
    bool stages = false;
    std::string_view first;
    for (const WeightTensor& tensor : file.tensors) {
      if (tensor.name.starts_with(kMomentumPrefix)) continue;
      if (!tensor.name.starts_with(prefix)) return prefix;
      std::string_view rest = std::string_view(tensor.name).substr(prefix.size());
      const size_t dot = rest.find('.');
      if (dot == std::string_view::npos) return prefix;
      const std::string_view part = rest.substr(0, dot + 1);
      if (first.empty()) first = part;
      if (part != first || part == "backbone.") return prefix;
      rest.remove_prefix(part.size());
      stages = stages || prefix_length(rest) == 0;
    }
    if (!stages) return prefix;
    prefix += first;
  }
}

/// The prefix of the network: that of most tensors; of a network and its average, the network's.
std::string network_prefix(const WeightFile& file) {
  if (std::string prefix = wrapper_called_as_a_head(file); !prefix.empty()) return prefix;
  std::map<std::string, size_t> tensors;
  for (const WeightTensor& tensor : file.tensors) {
    if (tensor.name.starts_with(kMomentumPrefix)) continue;
    const size_t length = prefix_length(tensor.name);
    if (length != std::string::npos) ++tensors[tensor.name.substr(0, length)];
  }
  const auto most = std::max_element(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) {
    // Half as many tensors are no whole copy, so an average counts less than anything else of its size.
    const auto weight = [](const auto& entry) {
      return 2 * entry.second - (is_average(entry.first) ? entry.second : 0);
    };
    return weight(a) < weight(b);
  });
  return most == tensors.end() ? "" : most->first;
}

/// Removes a prefix that is not empty from the names that `has` says yes to, and tells so.
void take_off(WeightFile* file, const std::string& prefix, const std::function<bool(std::string_view)>& has) {
  if (prefix.empty()) return;
  for (WeightTensor& tensor : file->tensors) {
    if (has(tensor.name)) tensor.name.erase(0, prefix.size());
  }
  file->notes.push_back(fmt::format("the prefix \"{}\" of the names is taken off", quotable(prefix)));
}

/// Where parts of the network have prefixes of their own (encoder.layer1..., head.cls...), takes off each; but where
/// names would then stand twice, it is a second network, and its prefix is returned.
std::string take_off_each(WeightFile* file) {
  std::set<std::string> prefixes;
  std::map<std::string, std::string> prefix_of;  // of a name without it
  std::string twice;
  for (const WeightTensor& tensor : file->tensors) {
    if (tensor.name.starts_with(kMomentumPrefix)) continue;
    const size_t length = prefix_length(tensor.name);
    if (length == std::string::npos) return {};               // something else: not to be guessed at
    if (is_classifier(tensor.name.substr(length))) continue;  // which naming.cc leaves out
    if (length > 0) prefixes.insert(tensor.name.substr(0, length));
    const auto [other, first] = prefix_of.emplace(tensor.name.substr(length), tensor.name.substr(0, length));
    if (!first) twice = std::max(other->second, tensor.name.substr(0, length));
  }
  if (!twice.empty()) return twice;
  for (const std::string& prefix : prefixes) {
    take_off(file, prefix, [&, length = prefix.size()](std::string_view name) {
      return name.starts_with(prefix) && prefix_length(name) == length && !is_classifier(name.substr(length));
    });
  }
  return {};
}

/// Takes the names of wrappers out of the middle of names: torch.compile, checkpointing or FSDP around a part of a
/// network.
void take_off_inner_wrappers(WeightFile* file) {
  for (const std::string_view wrapper : {"._orig_mod.", "._checkpoint_wrapped_module.", "._fsdp_wrapped_module."}) {
    const std::string_view named = wrapper.substr(1);
    size_t names = 0;
    for (WeightTensor& tensor : file->tensors) {
      size_t at = tensor.name.find(wrapper);
      if (at != std::string::npos) ++names;
      for (; at != std::string::npos; at = tensor.name.find(wrapper, at)) tensor.name.erase(at, named.size());
    }
    if (names > 0) file->notes.push_back(fmt::format("\"{}\" is taken out of {}", named, counted(names, "name")));
  }
}

}  // namespace

bool looks_like_network(std::string_view name) { return prefix_length(name) != std::string_view::npos; }

void leave_out(WeightFile* file, const char* why, const std::function<bool(const WeightTensor&)>& unwanted) {
  std::vector<std::string> names;
  std::erase_if(file->tensors, [&](const WeightTensor& tensor) {
    if (tensor.name.starts_with(kMomentumPrefix) || !unwanted(tensor)) return false;
    names.push_back(tensor.name);
    return true;
  });
  if (!names.empty()) file->notes.push_back(fmt::format("{} left out, {}: {}", names.size(), why, name_list(names)));
}

void take_off_surroundings(WeightFile* file, const std::string& place) {
  const std::string prefix = network_prefix(*file);
  const auto inside = [&](std::string_view name) {
    if (!name.starts_with(prefix)) return false;
    const std::string_view rest = name.substr(prefix.size());
    return begins_network(rest) || is_classifier(rest);  // which naming.cc leaves out
  };
  leave_out(file, "of a loss or metric", [&](const WeightTensor& tensor) {
    // A word in the prefix of the whole network tells nothing of the tensor.
    const std::string_view name = tensor.name;
    return is_of_loss(inside(name) ? name.substr(prefix.size()) : name);
  });
  leave_out(file, "an average of the weights beside them", [&](const WeightTensor& tensor) {
    if (inside(tensor.name) || is_average(prefix)) return false;
    // Of names that no network has, as those without dots that some averages use, the first part tells.
    std::string_view name = tensor.name;
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
    size_t length = prefix_length(name);
    if (length == std::string::npos) length = name.find('.');
    if (length == std::string::npos && is_counter(name)) return false;
    return is_average(name.substr(0, length));
  });
  leave_out(file, "counters", [&](const WeightTensor& tensor) {
    // Batch norm's own counters stay; what else is one whole number is no part of a network.
    const bool counts = is_counter(tensor.name) || (is_integer(tensor.dtype) && tensor.count() == 1);
    return is_of_tool(tensor.name) || (counts && !looks_like_network(tensor.name));
  });
  take_off(file, prefix, inside);
  take_off_inner_wrappers(file);
  const std::string other = take_off_each(file);
  check<Refusal>(other.empty(), "{}: holds a second network below \"{}\", beside the one {}; save one of them alone",
                 place, quotable(other),
                 prefix.empty() ? "without a prefix" : fmt::format("below \"{}\"", quotable(prefix)));
  // A backbone of semseg, timm or the authors' ImageNet files inside of somebody's network: theirs is no name that
  // mmsegmentation has.
  for (const std::string_view stem : {"backbone.layer0.", "backbone.conv1.0.", "backbone.conv3."}) {
    const auto begins = [&](const WeightTensor& tensor) { return tensor.name.starts_with(stem); };
    if (std::none_of(file->tensors.begin(), file->tensors.end(), begins)) continue;
    take_off(file, "backbone.", [](std::string_view name) { return name.starts_with("backbone."); });
  }
}

}  // namespace giza::models
