// The state of a Module as named tensors in PyTorch's layout, and back.
#include "models/weights/state_dict.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <utility>

#include "models/scene_parser.h"
#include "tensor/base/check.h"

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

std::vector<int64_t> file_shape(const Tensor& tensor) {
  std::vector<int64_t> shape;
  for (int axis = 0; axis < tensor.rank(); ++axis) shape.push_back(tensor.dim(axis));
  if (tensor.rank() == 4) std::rotate(shape.begin() + 1, shape.end() - 1, shape.end());
  return shape;
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

/// The file's tensors by the names that the module uses.
std::map<std::string, const WeightTensor*> index_file(const WeightFile& file, const std::string& place) {
  constexpr std::string_view kWrapper = "module.";
  const bool prefixed =
      !file.tensors.empty() && std::all_of(file.tensors.begin(), file.tensors.end(),
                                           [&](const auto& t) { return t.name.starts_with(kWrapper); });
  std::map<std::string, const WeightTensor*> index;
  for (const WeightTensor& tensor : file.tensors) {
    std::string name = prefixed ? tensor.name.substr(kWrapper.size()) : tensor.name;
    if (name.ends_with(kTracked) || name.starts_with(kMomentumPrefix)) continue;
    check<Refusal>(index.emplace(name, &tensor).second, "{}: two tensors are named {}", place, name);
  }
  return index;
}

}  // namespace

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
    file.tensors.push_back({slot.name, file_shape(slot.tensor), DType::f32, to_pytorch_layout(slot.tensor), {}});
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
  std::vector<std::string> missing, extra, misshaped, kept;
  std::vector<std::pair<const WeightTensor*, Tensor>> copies;
  bool any = false;
  for (const Slot& slot : slots_of(module)) {
    const bool new_layer = is_new_layer(slot.name);
    const auto found = index.find(slot.name);
    if (found == index.end()) {
      const bool optional = (options.aux_optional && is_auxiliary(slot.name)) || (options.backbone_only && new_layer);
      (optional ? kept : missing).push_back(slot.name);
      continue;
    }
    const WeightTensor& tensor = *found->second;
    any = true;
    if (tensor.shape == file_shape(slot.tensor) && tensor.dtype != DType::i64) {
      copies.emplace_back(&tensor, slot.tensor);
    } else if (options.backbone_only && new_layer) {
      kept.push_back(slot.name);
    } else {
      misshaped.push_back(fmt::format("{} {}[{}] instead of [{}]", slot.name,
                                      tensor.dtype == DType::i64 ? "int64 " : "", fmt::join(tensor.shape, ","),
                                      fmt::join(file_shape(slot.tensor), ",")));
    }
    index.erase(found);
  }
  for (const auto& [name, tensor] : index) {
    const bool optional = (options.aux_optional && is_auxiliary(name)) || (options.backbone_only && is_new_layer(name));
    if (!optional) extra.push_back(name);
  }

  std::vector<std::string> faults;
  const auto report = [&](const char* what, const std::vector<std::string>& names) {
    if (!names.empty()) faults.push_back(fmt::format("{} {}: {}", names.size(), what, fmt::join(names, ", ")));
  };
  report("missing", missing);
  report("extra", extra);
  report("misshaped", misshaped);
  check<Refusal>(faults.empty() && any,
                 "{}: these weights do not fit the model ({}), expected its tensors exactly; "
                 "check the model's options",
                 place, faults.empty() ? "none of its names" : fmt::format("{}", fmt::join(faults, "; ")));
  for (const auto& [tensor, to] : copies) from_pytorch_layout(tensor->data, to);
  return kept;
}

}  // namespace giza::models
