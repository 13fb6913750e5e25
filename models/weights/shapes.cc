// The names and shapes of a file's tensors.
#include "models/weights/shapes.h"

#include <algorithm>
#include <charconv>
#include <set>

namespace giza::models {

TensorShapes::TensorShapes(const WeightFile& file) {
  for (const WeightTensor& tensor : file.tensors) shapes_[tensor.name] = &tensor.shape;
}

int64_t TensorShapes::channels(const std::vector<std::string>& paths) const {
  std::map<int64_t, int> votes;
  for (const std::string& path : paths) {
    for (const char* name : {".weight", ".bias", ".running_mean", ".running_var"}) {
      const auto found = shapes_.find(path + name);
      if (found == shapes_.end()) continue;
      const std::vector<int64_t>& shape = *found->second;
      if (shape.size() == 4 || shape.size() == 1) ++votes[shape.front()];
    }
  }
  const auto most =
      std::max_element(votes.begin(), votes.end(), [](const auto& x, const auto& y) { return x.second < y.second; });
  return most == votes.end() ? 0 : most->first;
}

int64_t TensorShapes::inputs(const char* name) const {
  const auto found = shapes_.find(name);
  const bool known = found != shapes_.end() && (found->second->size() == 4 || found->second->size() == 2);
  return known ? (*found->second)[1] : 0;
}

bool TensorShapes::bottlenecks() const { return count("layer1.0.conv") > 3 || count("layer1.0.bn") > 3; }

std::string TensorShapes::foreign_bottlenecks() const {
  if (!bottlenecks()) return "";
  const int64_t narrow = channels({"layer4.0.conv1", "layer4.0.bn1"}),
                wide = channels({"layer4.0.conv3", "layer4.0.bn3"});
  const int64_t seen = inputs("layer4.0.conv2.weight");
  if (narrow == 0) return "";
  if (seen != 0 && seen != narrow) {
    return "a ResNeXt, whose 3x3 convolutions have groups; giza has none, expected an ordinary ResNet";
  }
  if (wide != 0 && wide == 2 * narrow) {
    return "a wide ResNet, whose bottlenecks are half as wide as their outputs; expected an ordinary ResNet's quarter";
  }
  return "";
}

int64_t TensorShapes::count(const std::string& prefix) const {
  std::set<int64_t> numbers;
  for (auto at = shapes_.lower_bound(prefix); at != shapes_.end() && at->first.starts_with(prefix); ++at) {
    const char* begin = at->first.data() + prefix.size();
    int64_t number = -1;
    const auto [end, error] = std::from_chars(begin, at->first.data() + at->first.size(), number);
    if (error == std::errc() && *end == '.') numbers.insert(number);
  }
  const auto distinct = static_cast<int64_t>(numbers.size());
  if (numbers.empty()) return 0;
  return *numbers.rbegin() <= 2 * distinct ? *numbers.rbegin() + 1 : distinct;
}

bool TensorShapes::any(const std::string& prefix) const {
  const auto at = shapes_.lower_bound(prefix);
  return at != shapes_.end() && at->first.starts_with(prefix);
}

}  // namespace giza::models
