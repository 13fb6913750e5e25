// The state of a Module as named tensors in PyTorch's layout, and back.
#include "models/weights/state_dict.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "models/scene_parser.h"
#include "models/weights/names.h"
#include "models/weights/shapes.h"
#include "tensor/base/check.h"
#include "tensor/base/text.h"

namespace giza::models {
namespace {

constexpr std::string_view kTracked = "num_batches_tracked";

/// A tensor of a module, parameter or buffer alike.
struct Slot {
  std::string name;
  Tensor tensor;
};

/// Parameters and buffers merged as PyTorch orders them: module by module, a module's parameters before its buffers.
std::vector<Slot> slots_of(const layers::Module& module) {
  const auto owner = [](const std::string& name) { return name.substr(0, name.rfind('.')); };
  std::vector<layers::NamedBuffer> buffers = module.buffers();
  std::vector<Slot> slots;
  size_t next = 0;
  const std::vector<layers::NamedParameter> parameters = module.parameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    slots.push_back({parameters[i].name, parameters[i].variable.value()});
    const std::string module_name = owner(parameters[i].name);
    if (i + 1 < parameters.size() && owner(parameters[i + 1].name) == module_name) continue;
    while (next < buffers.size() && owner(buffers[next].name) == module_name) {
      slots.push_back({buffers[next].name, buffers[next].tensor});
      ++next;
    }
  }
  for (; next < buffers.size(); ++next) slots.push_back({buffers[next].name, buffers[next].tensor});
  return slots;
}

/// Calls body(index in the file, index in memory) for every element.
template <class Body>
void for_each_index(const Tensor& tensor, Body&& body) {
  if (tensor.rank() != 4) {
    for (int64_t i = 0; i < tensor.numel(); ++i) body(i, i);
    return;
  }
  const int64_t filters = tensor.dim(0), area = tensor.dim(1) * tensor.dim(2), channels = tensor.dim(3);
  for (int64_t k = 0; k < filters; ++k) {
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t i = 0; i < area; ++i) body((k * channels + c) * area + i, (k * area + i) * channels + c);
    }
  }
}

/// The file's tensors by name, without counters and momentum.
std::map<std::string, const WeightTensor*> index_file(const WeightFile& file, const std::string& place) {
  std::map<std::string, const WeightTensor*> index;
  for (const WeightTensor& tensor : file.tensors) {
    if (tensor.name.ends_with(kTracked) || tensor.name.starts_with(kMomentumPrefix)) continue;
    check<Refusal>(index.emplace(tensor.name, &tensor).second, "{}: two tensors are named {}", place,
                   quotable(tensor.name));
  }
  return index;
}

/// The setting that gives a ResNet these blocks.
std::string blocks_key(const std::vector<int64_t>& blocks, bool bottlenecks) {
  for (const int depth : {18, 34, 50, 101, 152, 269}) {
    const ResnetOptions usual = ResnetOptions::of_depth(depth);
    const bool same = std::equal(blocks.begin(), blocks.end(), usual.blocks.begin(), usual.blocks.end());
    if (same && bottlenecks == (usual.block == BlockKind::bottleneck)) return fmt::format("TRAIN.layers {}", depth);
  }
  return fmt::format("TRAIN.blocks '[{}]' and TRAIN.block {}", fmt::join(blocks, ", "),
                     bottlenecks ? "bottleneck" : "basic");
}

/// Of two networks that are alike but for their classes, those of both; {0, 0} of others. Classifiers are alone in
/// having no batch norm, and between them (a context module, enlargements) both sides of a weight are the classes.
std::pair<int64_t, int64_t> classes_alone(const WeightFile& file, const WeightFile& model) {
  std::pair<int64_t, int64_t> classes{0, 0};
  for (const WeightTensor& ours : model.tensors) {
    const WeightTensor* theirs = file.find(ours.name);
    if (theirs == nullptr) continue;
    if (theirs->shape == ours.shape) continue;
    if (theirs->shape.size() != ours.shape.size() || theirs->shape.empty()) return {0, 0};
    const std::pair<int64_t, int64_t> here{theirs->shape[0], ours.shape[0]};
    if (here.first == here.second || (classes.first != 0 && here != classes)) return {0, 0};
    classes = here;
    for (size_t axis = 1; axis < ours.shape.size(); ++axis) {
      const std::pair<int64_t, int64_t> sizes{theirs->shape[axis], ours.shape[axis]};
      if (sizes.first != sizes.second && sizes != classes) return {0, 0};
    }
    // CascadeNet's streams have parts of the classes each.
    if (ours.name.ends_with(".running_var") || ours.name.starts_with("stuff.")) return {0, 0};
  }
  return classes;
}

/// What differs as a whole between the file's network and the model, and the key of a configuration that decides it;
/// empty where nothing stands out.
std::string likely_cause(const WeightFile& file, const WeightFile& model, bool told_by_file) {
  const TensorShapes theirs(file), ours(model);
  if (std::string foreign = theirs.foreign_bottlenecks(); !foreign.empty()) return "the file's trunk is " + foreign;
  const auto stem_size = [](const WeightFile& of) {
    const WeightTensor* weight = of.find("layer0.0.weight");
    return weight != nullptr && weight->shape.size() == 4 ? weight->shape[3] : 0;
  };
  if (stem_size(file) == 7 && stem_size(model) == 3) {
    return "the file has the plain stem (one convolution of 7x7), the model the deep one; set TRAIN.stem plain";
  }
  if (stem_size(file) == 3 && stem_size(model) == 7) {
    return "the file has the deep stem (three convolutions of 3x3), the model the plain one; set TRAIN.stem deep";
  }
  const auto blocks = [](const TensorShapes& shapes) {
    std::vector<int64_t> counts;
    for (int layer = 1; layer <= 4; ++layer) counts.push_back(shapes.count(fmt::format("layer{}.", layer)));
    return counts;
  };
  const auto kind = [](const TensorShapes& shapes) { return shapes.bottlenecks() ? "bottleneck" : "basic"; };
  const std::vector<int64_t> here = blocks(theirs), there = blocks(ours);
  const bool whole = std::find(here.begin(), here.end(), 0) == here.end();
  if (whole && (here != there || kind(theirs) != kind(ours))) {
    return fmt::format("the file's ResNet has {} {} blocks, the model's {} {}; set {}", fmt::join(here, "+"),
                       kind(theirs), fmt::join(there, "+"), kind(ours), blocks_key(here, theirs.bottlenecks()));
  }
  const int64_t narrow = theirs.channels({"layer4.0.bn1", "layer4.0.conv1"});
  const int64_t wide = ours.channels({"layer4.0.bn1", "layer4.0.conv1"});
  if (narrow != 0 && wide != 0 && narrow != wide) {
    return fmt::format("the file's ResNet has {} channels in layer4, the model's {}; set TRAIN.width {:.6g}", narrow,
                       wide, static_cast<double>(narrow) / 512);
  }
  const int64_t stem = theirs.channels({"layer0.0", "layer0.1"}), wanted = ours.channels({"layer0.0", "layer0.1"});
  if (stem != 0 && stem != wanted) {
    return fmt::format("the file's stem has {} channels, the model's {}; set TRAIN.stem_channels", stem, wanted);
  }
  if (const auto [classes, expected] = classes_alone(file, model); classes != expected && !told_by_file) {
    return fmt::format("the file's network has {} classes, the model {}; set DATA.classes", classes, expected);
  }
  return "";
}

/// What is wrong with a tensor's numbers, "cls.1.running_var[3] is nan"; empty where nothing is.
std::string number_fault(const WeightTensor& tensor) {
  const bool variance = tensor.name.ends_with(".running_var");
  const auto wrong = std::find_if(tensor.data.begin(), tensor.data.end(),
                                  [&](float value) { return !std::isfinite(value) || (variance && value < 0); });
  if (wrong == tensor.data.end()) return "";
  return fmt::format("{}[{}] is {}", quotable(tensor.name), wrong - tensor.data.begin(), *wrong);
}

/// The names and shapes of a module.
WeightFile shapes_only(const layers::Module& module) {
  WeightFile file;
  for (const Slot& slot : slots_of(module))
    file.tensors.push_back({slot.name, pytorch_shape(slot.tensor), DType::f32, {}, {}});
  return file;
}

}  // namespace

void check_numbers(const WeightFile& file, const std::string& place, bool momentum) {
  std::vector<std::string> faults;
  for (const WeightTensor& tensor : file.tensors) {
    if (tensor.name.ends_with(kTracked) || tensor.name.starts_with(kMomentumPrefix) != momentum) continue;
    if (std::string fault = number_fault(tensor); !fault.empty()) faults.push_back(std::move(fault));
  }
  check<Refusal>(faults.empty(),
                 "{}: {} numbers that no sound network has, expected finite ones and variances of 0 or more; use "
                 "weights from before they went wrong (first in each: {})",
                 place, faults.size() == 1 ? "1 tensor has" : fmt::format("{} tensors have", faults.size()),
                 name_list(faults));
}

std::vector<int64_t> pytorch_shape(const Tensor& tensor) {
  std::vector<int64_t> shape;
  for (int axis = 0; axis < tensor.rank(); ++axis) shape.push_back(tensor.dim(axis));
  if (tensor.rank() == 4) std::rotate(shape.begin() + 1, shape.end() - 1, shape.end());
  return shape;
}

std::vector<float> to_pytorch_layout(const Tensor& tensor) {
  std::vector<float> data(static_cast<size_t>(tensor.numel()));
  const float* from = tensor.data();
  for_each_index(tensor,
                 [&](int64_t in_file, int64_t in_memory) { data[static_cast<size_t>(in_file)] = from[in_memory]; });
  return data;
}

void from_pytorch_layout(const std::vector<float>& data, const Tensor& tensor) {
  check(static_cast<int64_t>(data.size()) == tensor.numel() && tensor.dense(),
        "from_pytorch_layout: {} numbers into {}", data.size(), tensor.shape());
  float* to = tensor.data();
  for_each_index(tensor,
                 [&](int64_t in_file, int64_t in_memory) { to[in_memory] = data[static_cast<size_t>(in_file)]; });
}

WeightFile state_dict(const layers::Module& module, int64_t batches_tracked) {
  WeightFile file;
  for (const Slot& slot : slots_of(module)) {
    file.tensors.push_back({slot.name, pytorch_shape(slot.tensor), DType::f32, to_pytorch_layout(slot.tensor), {}});
    constexpr std::string_view kVariance = "running_var";
    if (slot.name.ends_with(kVariance)) {
      const std::string owner = slot.name.substr(0, slot.name.size() - kVariance.size());
      file.tensors.push_back({owner + std::string(kTracked), {}, DType::i64, {}, {batches_tracked}});
    }
  }
  return file;
}

std::vector<std::string> load_state_dict(const layers::Module& module, const WeightFile& file, const std::string& place,
                                         const LoadOptions& options) {
  std::map<std::string, const WeightTensor*> index = index_file(file, place);
  std::vector<std::string> missing, extra, misshaped, no_floats, kept;
  std::vector<std::pair<const WeightTensor*, Tensor>> copies;
  bool any = false;
  // All of the auxiliary head may be missing, but not a part of it.
  const bool has_aux = std::any_of(index.begin(), index.end(), [](const auto& e) { return is_auxiliary(e.first); });
  for (const Slot& slot : slots_of(module)) {
    const bool new_layer = is_new_layer(slot.name);
    const auto found = index.find(slot.name);
    if (found == index.end()) {
      const bool optional =
          (options.aux_optional && !has_aux && is_auxiliary(slot.name)) || (options.backbone_only && new_layer);
      (optional ? kept : missing).push_back(slot.name);
      continue;
    }
    const WeightTensor& tensor = *found->second;
    any = true;
    if (tensor.shape == pytorch_shape(slot.tensor) && !is_integer(tensor.dtype)) {
      copies.emplace_back(&tensor, slot.tensor);
    } else if (options.backbone_only && new_layer) {
      kept.push_back(slot.name);
    } else if (tensor.shape == pytorch_shape(slot.tensor)) {
      no_floats.push_back(fmt::format("{} {}", slot.name, dtype_name(tensor.dtype)));
    } else {
      misshaped.push_back(fmt::format("{} [{}] instead of [{}]", slot.name, fmt::join(tensor.shape, ","),
                                      fmt::join(pytorch_shape(slot.tensor), ",")));
    }
    index.erase(found);
  }
  for (const auto& [name, tensor] : index) {
    const bool optional = (options.aux_optional && is_auxiliary(name)) || (options.backbone_only && is_new_layer(name));
    if (!optional) extra.push_back(name);
  }

  std::vector<std::string> faults;
  const auto report = [&](const char* what, const std::vector<std::string>& names) {
    if (!names.empty()) faults.push_back(fmt::format("{} {}: {}", names.size(), what, name_list(names)));
  };
  report("missing", missing);
  report("extra", extra);
  report("misshaped", misshaped);
  report("not of floats", no_floats);
  if (!faults.empty() || !any) {
    const std::string cause = likely_cause(file, shapes_only(module), options.told_by_file);
    throw Refusal(fmt::format(
        "{}: {} ({})", place,
        cause.empty() ? "these weights do not fit the model, expected its tensors exactly; check the model's options"
                      : cause,
        faults.empty() ? "none of its names" : fmt::format("{}", fmt::join(faults, "; "))));
  }
  check_numbers(file, place);
  for (const auto& [tensor, to] : copies) from_pytorch_layout(tensor->data, to);
  return kept;
}

}  // namespace giza::models
